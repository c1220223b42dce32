"""``toolkit go demo``."""

from __future__ import annotations

from pathlib import Path

import click

from .._common import console, json_option, plain, print_json
from ._common import default_net, drawn, go_of_net, outcome_line


@click.command(short_help="Let two precisions of one net play each other.")
@click.option("--net", type=click.Path(path_type=Path), help="A bundle. Default: the net that comes with the project.")
@click.option("--size", type=click.IntRange(2, 19), help="Board size of the net that comes with the project. Default: its largest.")
@click.option("--black", "black_name", default="onnx-fp32", show_default=True, help="Black's artifact in the bundle.")
@click.option("--white", "white_name", default="onnx-int8", show_default=True, help="White's artifact in the bundle.")
@click.option("--playouts", type=click.IntRange(min=1), default=200, show_default=True, help="Playouts of each move.")
@click.option("--komi", type=float, help="Points for White. Default: 9 on 7 x 7, else 7.")
@click.option("--opening", type=click.IntRange(min=0), default=4, show_default=True, help="Number of first moves that are drawn at random.")
@click.option("--delay", type=click.FloatRange(min=0), default=0.3, show_default=True, help="Seconds to look at each move.")
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed for the opening.")
@json_option
def command(
    net: Path | None,
    size: int | None,
    black_name: str,
    white_name: str,
    playouts: int,
    komi: float | None,
    opening: int,
    delay: float,
    seed: int,
    json_to: str | None,
) -> None:
    """Watch a net in fp32 play itself in int8, both as deployed.

    \b
    toolkit go demo
    toolkit go demo --net artifacts/go-5x5/alphago --white openvino-int8
    """
    import time

    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    from toolkit.core import Bundle
    from toolkit.models.alphago.games import Position
    from toolkit.pipeline.go.playing import net_brain, play_game

    home = net or default_net(size)
    bundle = Bundle.load(home)
    game = go_of_net(home, komi=komi)
    black, white = (
        net_brain(bundle.artifact(name).path, playouts=playouts, seed=seed + side) for side, name in enumerate((black_name, white_name))
    )
    black.start(game)
    white.start(game)
    position, out = Position(game), console()
    title = f"{game.name}, komi {game.komi:g}, {playouts} playouts: Black {black_name}, White {white_name}"
    moves = []
    quiet = json_to == "-"
    with Live(console=out, auto_refresh=False, transient=False) if not quiet and out.is_terminal else _Silent() as live:
        for player, thought in play_game(position, black, white, opening=opening):
            chance = thought.win_rate if player is black else 1 - thought.win_rate
            moves.append({"player": player.name, "move": game.action_name(thought.action), "black_wins": chance})
            line = f"move {len(moves)}: {player.name} {moves[-1]['move']}   Black wins {chance:.0%}"
            live.update(Group(Text(title), Text.from_markup(drawn(position)), Text(line)), refresh=True)
            if isinstance(live, Live):
                time.sleep(delay)
    result = {"game": game.name, "black": black_name, "white": white_name, "moves": moves, "result": outcome_line(position)}
    if json_to:
        print_json(result, json_to)
    if not quiet:
        if not out.is_terminal:
            out.print(title, markup=False)
            out.print(" ".join(str(move["move"]) for move in moves), markup=False)
            out.print(position.text(), markup=False)
        out.print(f"{plain(result['result'])}. next: toolkit go play, toolkit go strength {plain(home)}")


class _Silent:
    """Where there is no terminal to draw on."""

    def __enter__(self) -> _Silent:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""

    def update(self, *_: object, **__: object) -> None:
        """Nothing to draw."""
