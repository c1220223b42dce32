"""``toolkit go gtp``."""

from __future__ import annotations

from pathlib import Path

import click

from ._common import default_net, go_of_net


@click.command(short_help="Serve a net as a GTP engine for Go boards and matches.")
@click.option("--net", type=click.Path(path_type=Path), help="An artifact or a bundle. Default: the net that comes with the project.")
@click.option(
    "--size", type=click.IntRange(2, 19), help="Board size of the net that comes with the project, or of UCT. Default: its largest."
)
@click.option(
    "--playouts", type=click.IntRange(min=1), default=400, show_default=True, help="Playouts of each move; fewer where time is short."
)
@click.option("--uct", is_flag=True, help="Play by UCT with random playouts, without a net, on any size.")
@click.option("--komi", type=float, help="Points for White at first. Default: 9 on 7 x 7, else 7.")
@click.option("--engine", help="The engine that runs the net.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads of the engine. Default: all that this process may use.")
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed for UCT.")
def command(
    net: Path | None,
    size: int | None,
    playouts: int,
    uct: bool,
    komi: float | None,
    engine: str | None,
    threads: int | None,
    seed: int,
) -> None:
    """Speak the Go Text Protocol, version 2, on standard input and output: for Sabaki, Lizzie, GoGui, twogtp.

    \b
    toolkit go gtp --net artifacts/go-9x9/alphago/openvino-int8 --playouts 800
    """
    import sys

    from toolkit import __version__
    from toolkit.models.alphago.brain import Brain
    from toolkit.models.alphago.games import Go
    from toolkit.models.alphago.gtp.engine import GtpEngine
    from toolkit.models.alphago.search import UctSearch
    from toolkit.pipeline.go.playing import net_brain

    sizes = None
    if uct:
        game = Go(size or 9, komi=7.0 if komi is None else komi)
        brain = Brain("uct", lambda game: UctSearch(game, 1, max_playouts=playouts, seed=seed), playouts=playouts)
    else:
        home = net or default_net(size)
        game = go_of_net(home, komi=komi)
        sizes = frozenset({game.width})
        brain = net_brain(home, playouts=playouts, engine=engine, threads=threads, seed=seed)
        brain.start(game)  # A net that does not open is told now, and not to the board at its first move.
    name = "Edge Inference Toolkit " + ("UCT" if uct else "net")
    served = GtpEngine(brain, name=name, version=__version__, size=game.width, komi=game.komi, sizes=sizes)
    # What is not text is none of our business: a byte that cannot be read becomes one that no command has.
    sys.stdin.reconfigure(errors="replace")  # type: ignore[union-attr]
    served.serve(sys.stdin, sys.stdout)
