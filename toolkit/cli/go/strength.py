"""``toolkit go strength``."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import click

from .._common import console, json_option, plain, print_json, print_table, progress
from ._common import default_net, go_of_net
from .match import summary


@click.command(short_help="Measure what a precision costs, in Elo.")
@click.argument("artifacts", nargs=-1, type=click.Path(path_type=Path))
@click.option("--games", type=click.IntRange(min=2), default=400, show_default=True, help="Games of each two artifacts, an even number.")
@click.option("--playouts", type=click.IntRange(min=1), default=100, show_default=True, help="Playouts of each move.")
@click.option("--equal-time", is_flag=True, help="As many playouts as each can make in the time that the slowest needs for these.")
@click.option("--opening", type=click.IntRange(min=0), default=4, show_default=True, help="Number of random moves that a pair begins with.")
@click.option("--komi", type=float, help="Points for White. Default: 9 on 7 x 7, else 7.")
@click.option("--parallel", type=click.IntRange(min=1), default=64, show_default=True, help="Concurrent games.")
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed for the openings.")
@json_option
def command(
    artifacts: tuple[Path, ...],
    games: int,
    playouts: int,
    equal_time: bool,
    opening: int,
    komi: float | None,
    parallel: int,
    seed: int,
    json_to: str | None,
) -> None:
    """Let the precisions of one net play each other, and say what each costs in Elo against the first.

    ARTIFACTS are folders of one net, or one bundle, whose artifacts for installed engines all play; by default the net that comes with the
    project.

    \b
    toolkit go strength artifacts/go-5x5/alphago
    toolkit go strength --games 400 --equal-time
    """
    from toolkit.core import MANIFEST, Bundle, InputError
    from toolkit.models.alphago.arena.elo import ratings
    from toolkit.models.alphago.arena.match import play_match
    from toolkit.pipeline.go.players import label, net_player, seconds_a_playout
    from toolkit.runtimes import runtimes_for

    named = artifacts or (default_net(None),)
    nets: list[Path] = []
    for path in named:
        bundle = (
            [path]
            if (path / MANIFEST).is_file()
            else [a.path for a in Bundle.load(path) if runtimes_for(a.manifest.format, a.manifest.precision)]
        )
        nets += [one for one in bundle if one not in nets]
    if len(nets) < 2:
        raise InputError("artifacts to compare", expected="at least 2", got=str(len(nets)))
    game = go_of_net(nets[0], komi=komi)
    counts = dict.fromkeys(nets, playouts)
    if equal_time:
        seconds = {path: seconds_a_playout(path, game) for path in nets}
        counts = {path: round(playouts * max(seconds.values()) / seconds[path]) for path in nets}
    names = {path: f"{label(path)}@{counts[path]}" for path in nets}
    results = {}
    with progress() as display:
        bar = display.add_task("games", total=games * len(nets) * (len(nets) - 1) // 2)
        for one, other in combinations(nets, 2):
            display.update(bar, description=plain(f"{names[one]} - {names[other]}"))
            result = play_match(
                game,
                net_player(one, playouts=counts[one]),
                net_player(other, playouts=counts[other]),
                games=games,
                openings=opening,
                seed=seed,
                parallel=parallel,
                on_game=lambda _: display.advance(bar),
            )
            results[names[one], names[other]] = result
    table = ratings({pair: r.lost_drawn_won for pair, r in results.items()}, anchor=names[nets[0]])
    if json_to:
        print_json({"game": game.name, "ratings": table, "matches": [summary(result) for result in results.values()]}, json_to)
    if json_to == "-":
        return
    rows = [[r.name, f"{r.elo.value:+.0f} [{r.elo.low:+.0f}, {r.elo.high:+.0f}]", f"{r.points:g} of {r.games}"] for r in table]
    print_table(f"{game.name}: Elo against {names[nets[0]]}", ["artifact@playouts", "Elo", "points"], rows, right=["points"])
    for (one_name, other_name), result in results.items():
        if result.elo is not None:
            e = result.elo
            console().print(
                f"{plain(other_name)} against {plain(one_name)}: {-e.value:+.0f} [{-e.high:+.0f}, {-e.low:+.0f}], "
                f"n={sum(result.lost_drawn_won)} games in pairs"
            )
