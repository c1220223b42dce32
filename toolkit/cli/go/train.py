"""``toolkit go train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .._commands import Command, with_resume
from .._common import Words, console, device_option, evidence_line, json_option, plain, print_json, progress, styled

if TYPE_CHECKING:
    from toolkit.models.alphago.checkpoint import Generation


def _formats() -> list[str]:
    from toolkit.core import Format

    return [f.value for f in Format]


def _home(out: Path | None, game: str) -> Path:
    return out or Path("artifacts") / game


def _interrupted(ctx: click.Context) -> str:
    from toolkit.models.alphago.checkpoint import CHECKPOINT
    from toolkit.models.alphago.games import make_game

    if not (_home(ctx.params["out"], make_game(ctx.params["game_name"]).name) / CHECKPOINT).exists():
        return "interrupted before the first generation was complete: nothing is kept, the same command starts anew"
    return f"interrupted; all complete generations are kept. To resume: {with_resume(ctx)}"


@click.command(cls=Command, interrupted=_interrupted, short_help="Train a net by self-play.")
@click.option("--game", "game_name", default="go-9x9", show_default=True, help="Game, such as go-5x5, gomoku-9x9, connect-four.")
@click.option("--komi", type=float, help="Points for White in Go. Default: 7.")
@click.option(
    "--score-weight", type=click.FloatRange(0, 1), default=0.0, show_default=True, help="How much the margin counts, beside the win."
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the run. Default: artifacts/<game>.")
@click.option("--blocks", type=click.IntRange(min=1), default=6, show_default=True, help="Residual blocks.")
@click.option("--channels", type=click.IntRange(min=4), default=64, show_default=True, help="Channels of each residual block.")
@click.option("--pooling", is_flag=True, help="Every second block sees the whole board.")
@click.option("--ownership/--no-ownership", default=True, show_default=True, help="Learn also who owns each point and the score, in Go.")
@click.option(
    "--play",
    default="openvino-int8",
    show_default=True,
    help="The artifact that plays: FORMAT-PRECISION; torch: the weights themselves, which the learner trains meanwhile.",
)
@device_option
@click.option("--playouts", type=click.IntRange(min=1), default=128, show_default=True, help="Playouts of a move that becomes a sample.")
@click.option("--fast-playouts", type=click.IntRange(min=1), default=24, show_default=True, help="Playouts of the other moves.")
@click.option("--full-share", type=click.FloatRange(0, 1), default=0.25, show_default=True, help="Share of the moves that become a sample.")
@click.option("--leaves", type=click.IntRange(min=1), default=1, show_default=True, help="Leaves of a tree that the net is asked at once.")
@click.option("--games", type=click.IntRange(min=1), default=256, show_default=True, help="Games in a generation.")
@click.option("--reuse", type=click.FloatRange(min=0.1), default=4.0, show_default=True, help="Uses of each position in training.")
@click.option(
    "--window", type=click.IntRange(min=1), default=20_000, show_default=True, help="Least positions that are kept to learn from."
)
@click.option(
    "--learning-rate", type=click.FloatRange(min=0, min_open=True), default=2e-3, show_default=True, help="Learning rate of AdamW."
)
@click.option("--anneal", type=click.FloatRange(0, 1), default=1.0, show_default=True, help="Share of the learning rate at the end.")
@click.option("--batch-size", type=click.IntRange(min=2), default=256, show_default=True, help="Positions of a step of training.")
@click.option(
    "--ship", type=Words(_formats), default="onnx,openvino,tflite", show_default=True, help="Formats of the net in the end, or none."
)
@click.option(
    "--minutes", type=click.FloatRange(min=0, min_open=True), help="Stop after so many minutes, a resumed run's counted together."
)
@click.option("--generations", type=click.IntRange(min=1), help="Stop after so many generations.")
@click.option(
    "--rate-every",
    type=click.IntRange(min=0),
    default=4,
    show_default=True,
    help="Generations between matches that say how strong the net is; 0: none.",
)
@click.option("--processes", type=click.IntRange(min=1), default=2, show_default=True, help="Self-play processes of one thread each.")
@click.option("--lockstep", type=click.IntRange(min=1), default=64, show_default=True, help="Concurrent games in each process.")
@click.option(
    "--start-from",
    type=click.Path(path_type=Path),
    help="Folder of a run whose weights are the first, or of a net in ONNX; its board may have another size.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed for everything.")
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint.")
@click.option("--overwrite", is_flag=True, help="Start from scratch, in place of the run that is there.")
@json_option
def command(
    game_name: str,
    komi: float | None,
    score_weight: float,
    out: Path | None,
    blocks: int,
    channels: int,
    pooling: bool,
    ownership: bool,
    play: str,
    device: str,
    playouts: int,
    fast_playouts: int,
    full_share: float,
    leaves: int,
    games: int,
    reuse: float,
    window: int,
    learning_rate: float,
    anneal: float,
    batch_size: int,
    ship: tuple[str, ...],
    minutes: float | None,
    generations: int | None,
    rate_every: int,
    processes: int,
    lockstep: int,
    start_from: Path | None,
    seed: int,
    resume: bool,
    overwrite: bool,
    json_to: str | None,
) -> None:
    """Learn a game from nothing by self-play: play, train, convert, verify, and again.

    The games are played by the deployed artifact, int8 in OpenVINO unless told. Ctrl-C or a kill loses at most the games in flight:
    the same command with --resume goes on. A run that is there is replaced only with --overwrite.

    \b
    toolkit go train --game go-5x5 --blocks 4 --channels 32 --minutes 20
    toolkit go train --game go-9x9 --minutes 600 --resume
    toolkit go train --game go-9x9 --start-from artifacts/go-7x7 --minutes 60
    """
    from toolkit.models.alphago.games import Go, make_game
    from toolkit.models.alphago.learner import LearnerOptions
    from toolkit.models.alphago.net import NetOptions
    from toolkit.models.alphago.search import SearchOptions
    from toolkit.models.alphago.selfplay import SelfPlayOptions
    from toolkit.pipeline.go.rating import RatingOptions
    from toolkit.pipeline.go.train import GenerationProgress, GoTraining, TrainOptions

    game = make_game(game_name)
    is_go = isinstance(game, Go)
    if isinstance(game, Go):
        game = Go((game.width, game.height), komi=game.komi if komi is None else komi, score_weight=score_weight)
    elif komi is not None or score_weight:
        raise click.UsageError(f"--komi and --score-weight are of Go, not of {game.name}")
    options = TrainOptions(
        net=NetOptions(blocks, channels, pooling=pooling, ownership=is_go and ownership, score=is_go and ownership),
        selfplay=SelfPlayOptions(
            playouts=playouts,
            fast_playouts=min(fast_playouts, playouts),
            full_share=full_share,
            temperature_moves=max(4, game.width),
            search=SearchOptions(leaves=leaves),
        ),
        learner=LearnerOptions(learning_rate=learning_rate, batch_size=batch_size),
        rating=RatingOptions(every=rate_every),
        play=play,
        device=device,
        games=games,
        reuse=reuse,
        anneal=anneal,
        window=window,
        processes=processes,
        lockstep=lockstep,
        minutes=minutes,
        generations=generations if minutes or generations else 100,
        start=start_from,
        seed=seed,
    )
    home = _home(out, game.name)
    with progress() as display:
        bar = display.add_task("start", total=None)

        def on_progress(step: GenerationProgress) -> None:
            speed = f" {step.evaluations_per_s:,.0f} evaluations/s" if step.phase == "play" else ""
            display.update(bar, total=step.total, completed=step.done, description=f"generation {step.generation} {step.phase}{speed}")
            if step.last is not None:
                display.console.print(_lines(step.last))

        run = GoTraining(game, options, out=home, resume=resume, overwrite=overwrite, on_progress=on_progress)
        done = run()
        display.update(bar, total=None, description="convert what ships")
        rows = [] if ship == ("none",) else run.ship(ship)
    if json_to:
        print_json(done, json_to)
    if json_to != "-":
        games_played = sum(generation.games for generation in done)
        console().print(
            f"{plain(home / 'alphago')}: {len(done)} generations, {games_played:,} games; checkpoint and metrics in {plain(home)}"
        )
        for row in rows:
            verdict = row.artifact.verdict if row.artifact else "failed"
            console().print(f"  {row.target} {styled(verdict)} {plain(row.reason or (row.artifact and evidence_line(row.artifact)) or '')}")
        console().print(f"next: toolkit go strength {plain(home / 'alphago')}")


def _lines(g: Generation) -> str:
    """What one generation did, in three lines: its games, its losses, and where its time went."""
    playing = max(g.seconds_selfplay, 1e-9)
    tree = playing * g.seconds_tree / max(g.seconds_tree + g.seconds_net, 1e-9)
    parts = {
        "net": playing - tree,
        "tree": tree,
        "training": g.seconds_training,
        "conversion": g.seconds_conversion,
        "rating": g.seconds_rating,
    }
    total = sum(parts.values())
    shares = ", ".join(f"{name} {seconds / total:.0%}" for name, seconds in parts.items())
    lines = [
        f"{g.generation:4}  {g.games} games of {g.moves_a_game:.0f} moves, first wins {g.first_wins:.0%}, resigned {g.resigned:.0%}",
        f"      policy {g.policy_loss:.2f} (floor {g.target_entropy:.2f}) value {g.value_loss:.3f}; "
        f"{g.evaluations / playing:,.0f} evaluations/s",
        f"      {total:.0f} s: {shares}",
    ]
    if g.rated is not None:
        r = g.rated
        lines.append(
            f"      Elo {r.elo.value:+.0f} [{r.elo.low:+.0f}, {r.elo.high:+.0f}], "
            f"{r.won} won, {r.drawn} drawn, {r.lost} lost against {r.against}"
        )
    return "\n".join(lines)
