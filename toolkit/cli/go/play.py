"""``toolkit go play``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .._common import console, plain
from ._common import default_net, drawn, go_of_net, outcome_line

if TYPE_CHECKING:
    from toolkit.models.alphago.brain import Brain, Thought
    from toolkit.models.alphago.games import Game, Position

_HELP = "a point such as D4, or: pass, undo, hint, resign, quit"


@click.command(short_help="Play against a net in the terminal.")
@click.option("--net", type=click.Path(path_type=Path), help="An artifact or a bundle. Default: the net that comes with the project.")
@click.option("--size", type=click.IntRange(2, 19), help="Board size of the net that comes with the project. Default: its largest.")
@click.option("--colour", type=click.Choice(["black", "white"]), default="black", show_default=True, help="Your colour.")
@click.option("--playouts", type=click.IntRange(min=1), default=400, show_default=True, help="The net's playouts of each move.")
@click.option("--komi", type=float, help="Points for White. Default: 9 on 7 x 7, else 7.")
@click.option("--engine", help="The engine that runs the net.")
@click.option("--sgf", type=click.Path(path_type=Path), help="Where to keep the game's record.")
def command(
    net: Path | None, size: int | None, colour: str, playouts: int, komi: float | None, engine: str | None, sgf: Path | None
) -> None:
    """Play Go against a deployed net. Its best moves and its chance to win are shown after each of its moves.

    \b
    toolkit go play
    toolkit go play --net artifacts/go-9x9/alphago/openvino-int8 --colour white
    """
    from toolkit.models.alphago.games import Position
    from toolkit.pipeline.go.playing import net_brain

    home = net or default_net(size)
    game = go_of_net(home, komi=komi)
    player = net_brain(home, playouts=playouts, engine=engine)
    player.start(game)
    position, out = Position(game), console()
    own = 0 if colour == "black" else 1
    resigned = False
    out.print(f"{plain(home.name)} plays {'White' if own == 0 else 'Black'}, komi {game.komi:g}. Your move: {_HELP}")
    while not position.ended:
        if position.to_move != own:
            thought = player.think(position)
            position.play(thought.action)
            out.print(f"the net plays [bold]{game.action_name(thought.action)}[/]: {_told(game, thought)}")
            continue
        out.print(drawn(position))
        try:
            word = click.prompt("your move", prompt_suffix="> ").strip().lower()
        except click.Abort:
            word = "quit"
        resigned = word == "resign"
        if word in {"quit", "exit", "resign"}:
            break
        _answer(word, position, player)
    if position.ended:
        out.print(drawn(position))
        out.print(outcome_line(position))
    if sgf is not None:
        _keep(sgf, position, names=("you", home.name) if own == 0 else (home.name, "you"), loser=own if resigned else None)
        out.print(f"record: {plain(sgf)}")


def _told(game: Game, thought: Thought) -> str:
    total = sum(candidate.visits for candidate in thought.candidates)
    best = ", ".join(f"{game.action_name(c.action)} {c.visits / total:.0%} (wins {c.win_rate:.0%})" for c in thought.candidates[:3])
    return f"chance to win {thought.win_rate:.0%}; looked at {best}"


def _answer(word: str, position: Position, player: Brain) -> None:
    """Do what a word asks for, or say why not."""
    from toolkit.core import InputError

    try:
        if word == "undo":
            for _ in range(min(2, len(position.history))):
                position.undo()
        elif word == "hint":
            console().print(_told(position.game, player.think(position)))
        else:
            position.play(position.game.action_of(word))
    except InputError as error:
        console().print(f"{plain(error)}. {_HELP}")


def _keep(path: Path, position: Position, *, names: tuple[str, str], loser: int | None) -> None:
    from toolkit.models.alphago.sgf import SgfGame, SgfMove, result_text, write_sgf

    value = position.value if loser is None else (-1.0, 1.0)[loser]
    result = result_text(value, resigned=loser is not None) if position.ended or loser is not None else ""
    game, moves = position.game, tuple(SgfMove(mover, action) for mover, action in position.moves)
    komi = getattr(game, "komi", 0.0)
    write_sgf(path, SgfGame(size=game.width, komi=komi, moves=moves, black=names[0], white=names[1], result=result))
