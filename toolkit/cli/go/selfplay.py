"""``toolkit go selfplay``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .._commands import Command
from .._common import console, device_option, json_option, plain, print_json, progress
from ._common import go_of_net


@click.command(
    cls=Command,
    interrupted="interrupted; nothing is kept but the records of finished games that --sgf asks for: the same command starts anew",
    short_help="Let a net play against itself.",
)
@click.option("--net", type=click.Path(path_type=Path), required=True, help="An artifact, or a bundle, whose fastest one plays.")
@click.option("--engine", help="The engine that runs it. Default: the first installed one, or the fastest of a bundle.")
@device_option
@click.option("--games", type=click.IntRange(min=1), default=64, show_default=True, help="Games to finish, at least.")
@click.option("--playouts", type=click.IntRange(min=1), default=200, show_default=True, help="Playouts of each move.")
@click.option("--komi", type=float, help="Points for White. Default: 9 on 7 x 7, else 7.")
@click.option("--processes", type=click.IntRange(min=1), default=2, show_default=True, help="Processes that play.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads of the net in each process.")
@click.option("--lockstep", type=click.IntRange(min=1), help="Concurrent games in each process. Default: up to 64.")
@click.option("--sgf", type=click.Path(path_type=Path), help="A folder for the games' records.")
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed for everything.")
@json_option
def command(
    net: Path,
    engine: str | None,
    device: str,
    games: int,
    playouts: int,
    komi: float | None,
    processes: int,
    threads: int,
    lockstep: int | None,
    sgf: Path | None,
    seed: int,
    json_to: str | None,
) -> None:
    """Let a deployed net play itself, and say how fast and how the games ended.

    \b
    toolkit go selfplay --net artifacts/go-5x5/alphago --games 64 --sgf games/
    """
    import time

    from toolkit.core import make_folder
    from toolkit.models.alphago.selfplay import SelfPlayOptions
    from toolkit.pipeline.go.evaluator import as_learned
    from toolkit.pipeline.go.selfplay import play_games, write_record
    from toolkit.pipeline.go.workers import WorkerOptions

    game = go_of_net(net, komi=komi)
    if sgf is not None:
        make_folder(sgf)
    options = WorkerOptions(
        as_learned(net, game),
        SelfPlayOptions(playouts=playouts, fast_playouts=playouts, full_share=1.0),
        processes=processes,
        games=lockstep or max(1, min(64, games // processes)),
        device=device,
        threads=threads,
        seed=seed,
    )
    records, evaluations, cached, busy, net_s = [], 0, 0, 0.0, 0.0
    start = time.perf_counter()
    with progress() as display:
        bar = display.add_task("games", total=games)
        for played in play_games(options, net, games=games, engine=engine):
            for record in played.records:
                records.append(record)
                if sgf is not None:
                    write_record(record, game, sgf / f"game-{len(records):04}.sgf", name=net.name)
            evaluations, cached = evaluations + played.evaluations, cached + played.cached
            busy, net_s = busy + played.seconds, net_s + played.seconds_net
            speed = evaluations / (time.perf_counter() - start)
            display.update(bar, completed=min(len(records), games), description=f"games, {speed:,.0f} evaluations/s")
    seconds = time.perf_counter() - start
    result: dict[str, Any] = {
        "game": game.name,
        "games": len(records),
        "moves": sum(map(len, records)),
        "black_wins": sum(record.outcome > 0 for record in records),
        "draws": sum(record.outcome == 0 for record in records),
        "evaluations": evaluations,
        "cached": cached,
        "seconds": seconds,
        "evaluations_per_s": evaluations / seconds,
        "share_outside_net": 1 - net_s / busy if busy else 0.0,
    }
    if json_to:
        print_json(result, json_to)
    if json_to != "-":
        out = console()
        moves, asked = result["moves"] / max(len(records), 1), max(evaluations + cached, 1)
        out.print(f"{len(records)} games of {game.name}, {moves:.0f} moves each; Black won {result['black_wins']}, {result['draws']} drawn")
        out.print(
            f"{evaluations:,} evaluations in {seconds:.1f} s: {result['evaluations_per_s']:,.0f} a second, start-up counted; "
            f"the cache answered {cached / asked:.0%}; {result['share_outside_net']:.0%} of the time outside the net"
        )
        if sgf is not None:
            out.print(f"records: {plain(sgf)}")
