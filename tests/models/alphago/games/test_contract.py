"""Every game keeps the contract of `Game`."""

from __future__ import annotations

import pytest

from tests.models.alphago.games.contract import check_game
from toolkit.core import InputError, UnknownNameError
from toolkit.models.alphago.games import ConnectFour, Game, Go, Gomoku, Mnk, TicTacToe, make_game

GAMES = (
    Go(2), Go(5, komi=2.5), Go(9), Go((4, 3), ko="situational", suicide=True), Go(7, ko="simple", max_moves=60), Go(13, handicap=5),
    ConnectFour(), ConnectFour(5, 4), TicTacToe(), Gomoku(9), Mnk(5, 4, 3),
)  # fmt: skip


@pytest.mark.parametrize("game", GAMES, ids=lambda game: game.name)
def test_contract(game: Game) -> None:
    check_game(game)


@pytest.mark.parametrize("game", GAMES, ids=lambda game: game.name)
def test_a_game_is_found_by_its_name(game: Game) -> None:
    found = make_game(game.name)
    assert type(found) is type(game)
    assert (found.name, found.width, found.height, found.actions) == (game.name, game.width, game.height, game.actions)


def test_short_and_written_names() -> None:
    assert make_game("go").name == "go-9x9"
    assert make_game("gomoku").name == "gomoku-15x15"
    assert make_game(" Connect-Four ").name == make_game("connect-four-7x6").name == "connect-four"
    assert make_game("mnk-6x5-4").name == "mnk-6x5-4"


@pytest.mark.parametrize("name", ["", "chess", "go-9", "gomoku-9x8", "go-9x9-7", "mnk-3x3", "go-1x1x1"])
def test_unknown_names(name: str) -> None:
    with pytest.raises(UnknownNameError, match="unknown game"):
        make_game(name)


@pytest.mark.parametrize("name", ["go-20x20", "go-1x1", "go-0x3", "connect-four-3x3", "mnk-30x3-3", "mnk-3x3-4", "mnk-3x3-0"])
def test_impossible_sizes(name: str) -> None:
    with pytest.raises(InputError, match="expected"):
        make_game(name)
