"""``toolkit go match``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .._commands import Command
from .._common import console, json_option, plain, print_json, progress
from ._common import go_of_net

if TYPE_CHECKING:
    from toolkit.models.alphago.arena.results import GameResult, MatchResult
    from toolkit.models.alphago.games import Game


@click.command(
    cls=Command,
    interrupted="interrupted; nothing is kept but the records of finished games that --sgf asks for: the same command starts anew",
    short_help="Measure two players against each other, in Elo.",
)
@click.argument("a")
@click.argument("b")
@click.option("--game", "game_name", help="Game, such as go-7x7 or gomoku-9x9. Default: that of a net, else go-9x9.")
@click.option(
    "--games", type=click.IntRange(min=2), default=40, show_default=True, help="Games to play, an even number: pairs with colours swapped."
)
@click.option(
    "--playouts", type=click.IntRange(min=1), default=200, show_default=True, help="Playouts of nets without a number of their own."
)
@click.option("--opening", type=click.IntRange(min=0), default=2, show_default=True, help="Number of random moves that a pair begins with.")
@click.option("--komi", type=float, help="Points for White in Go. Default: 9 on 7 x 7, else 7.")
@click.option("--engine", help="The engine that runs nets.")
@click.option("--parallel", type=click.IntRange(min=1), default=32, show_default=True, help="Concurrent games.")
@click.option("--sprt", nargs=2, type=float, metavar="ELO0 ELO1", help="Stop when A is ELO1 stronger, or only ELO0, with 95 % each.")
@click.option("--sgf", type=click.Path(path_type=Path), help="A folder for the games' records, in Go.")
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed for openings and players.")
@json_option
def command(
    a: str,
    b: str,
    game_name: str | None,
    games: int,
    playouts: int,
    opening: int,
    komi: float | None,
    engine: str | None,
    parallel: int,
    sprt: tuple[float, float] | None,
    sgf: Path | None,
    seed: int,
    json_to: str | None,
) -> None:
    """Let A and B play, and say how much stronger A is, in Elo with a 95 % interval.

    A player is: random, uct:PLAYOUTS, gnugo:LEVEL, "gtp:COMMAND ARGUMENTS", or a net's artifact or bundle, with @PLAYOUTS if wanted.
    A crash of an engine makes its pair void and is reported; the match goes on.

    \b
    toolkit go match artifacts/go-7x7/alphago/openvino-int8@400 uct:1000
    toolkit go match artifacts/go-9x9/alphago gnugo:0 --games 40 --sgf games/
    """
    from toolkit.core import make_folder, write_file
    from toolkit.models.alphago.arena.match import play_match
    from toolkit.models.alphago.arena.results import match_sgf
    from toolkit.models.alphago.arena.sprt import Sprt
    from toolkit.models.alphago.games import Go, make_game
    from toolkit.pipeline.go.players import is_net, make_player

    net = next((Path(text.partition("@")[0]) for text in (a, b) if is_net(text)), None)
    game: Game
    if game_name is None and net is not None:
        game = go_of_net(net, komi=komi)
    else:
        game = make_game(game_name or "go-9x9")
        if isinstance(game, Go) and komi is not None:
            game = Go((game.width, game.height), komi=komi)
    players = make_player(a, playouts=playouts, engine=engine), make_player(b, playouts=playouts, engine=engine)
    if sgf is not None:
        make_folder(sgf)
    done: list[GameResult] = []
    with progress() as display:
        bar = display.add_task(f"{plain(a)} against {plain(b)}", total=games)

        def on_game(result: GameResult) -> None:
            done.append(result)
            score = sum((one.value + 1) / 2 for one in done if one.value is not None)
            display.update(bar, completed=len(done), description=f"{plain(players[0].name)} {score:g} of {len(done)}")
            if sgf is not None and isinstance(game, Go):
                write_file(sgf / f"game-{result.number:04}.sgf", match_sgf(game, result, a=players[0].name, b=players[1].name))

        result = play_match(
            game,
            *players,
            games=games,
            openings=opening,
            seed=seed,
            parallel=parallel,
            sprt=Sprt(*sprt) if sprt else None,
            on_game=on_game,
        )
    if json_to:
        print_json(summary(result) | {"games": result.games}, json_to)
    if json_to != "-":
        _show(result)


def summary(result: MatchResult) -> dict[str, object]:
    """A match in numbers, without its games."""
    lost, drawn, won = result.lost_drawn_won
    ms_a, ms_b = (1e3 * seconds for seconds in result.seconds_a_move)
    return {
        "game": result.game,
        "a": result.a,
        "b": result.b,
        "won": won,
        "drawn": drawn,
        "lost": lost,
        "pairs": result.pairs,
        "void": result.void,
        "elo": result.elo,
        "sprt": result.sprt,
        "ms_a_move_a": ms_a,
        "ms_a_move_b": ms_b,
    }


def _show(result: MatchResult) -> None:
    out = console()
    lost, drawn, won = result.lost_drawn_won
    out.print(f"{plain(result.a)} against {plain(result.b)}, {result.game}: won {won}, drawn {drawn}, lost {lost}")
    if result.elo is not None:
        e = result.elo
        out.print(f"Elo {e.value:+.0f} [{e.low:+.0f}, {e.high:+.0f}], n={lost + drawn + won} games in {sum(result.pairs)} pairs")
    ms_a, ms_b = (1e3 * seconds for seconds in result.seconds_a_move)
    out.print(f"{ms_a:.1f} and {ms_b:.1f} ms a move")
    if result.sprt is not None:
        out.print(
            f"SPRT: {result.sprt.verdict}, log-likelihood ratio {result.sprt.llr:.2f} [{result.sprt.lower:.2f}, {result.sprt.upper:.2f}]"
        )
    if result.void:
        reasons = sorted({game.detail for game in result.games if game.reason == "crashed"})
        out.print(f"[yellow]{result.void} pairs are void[/]: {plain('; '.join(reasons))}")
