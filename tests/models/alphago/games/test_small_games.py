"""Known counts and values of tic-tac-toe, m,n,k games and Connect Four."""

from __future__ import annotations

import numpy as np
import pytest

from tests.models.alphago.games.perft import children, perft, solve
from toolkit.core import InputError
from toolkit.models.alphago.games import FIRST, SECOND, ConnectFour, Game, Gomoku, Mnk, Position, TicTacToe

ROW = np.zeros(1, np.int64)


def after(game: Game, moves: str) -> Position:
    at = Position(game)
    for name in moves.split():
        at.play(game.action_of(name))
    return at


def test_all_games_of_tic_tac_toe() -> None:
    game = TicTacToe()
    assert perft(game, 9, with_ended=False) == [9, 72, 504, 3024, 15120, 54720, 148176, 200448, 127872]
    states, results = game.new(1), []
    while len(states[0]):
        rows, states = children(game, states)
        ended, value = game.outcome(states, np.arange(len(rows)))
        results += value[ended].tolist()
    assert len(results) == 255168
    assert [results.count(value) for value in (1, -1, 0)] == [131184, 77904, 46080]


@pytest.mark.parametrize(("game", "value", "positions"), [(TicTacToe(), 0, 5478), (Mnk(4, 3, 3), 1, None), (ConnectFour(4, 4), 0, 161029)])
def test_solved_games(game: Game, value: int, positions: int | None) -> None:
    found = solve(game)
    assert found[0] == value
    assert positions in {None, found[1]}


def test_lines_of_connect_four() -> None:
    assert perft(ConnectFour(), 8, with_ended=False) == [7, 49, 343, 2401, 16807, 117649, 823536, 5673234]


@pytest.mark.parametrize("moves", ["A B A B A B A", "A A B B C C D", "A B B C C D C D D A D", "D C C B B A B A A D A"])
def test_four_in_a_row_in_every_direction(moves: str) -> None:
    at = after(ConnectFour(), moves)
    assert (at.ended, at.value) == (True, 1)


def test_connect_four_is_mirrored_only() -> None:
    cells, columns = ConnectFour(5, 4).symmetries()
    assert columns.tolist() == [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0]]
    assert cells[1].reshape(4, 5)[0].tolist() == [4, 3, 2, 1, 0]


def test_a_full_column() -> None:
    at = after(ConnectFour(4, 4), "A A A A")
    with pytest.raises(InputError, match="A is not legal: the column is full"):
        at.play(0)


@pytest.mark.parametrize("moves", ["E5 A1 F5 B1 G5 C1 H5 D1 D5", "E5 A1 E6 A2 E4 A3 E7 B1 E3", "E5 A1 F6 A2 D4 A3 C3 B1 G7"])
def test_five_in_a_row(moves: str) -> None:
    at = after(Gomoku(9), moves)
    assert (at.ended, at.value) == (True, 1)
    at.undo()
    assert not at.ended


def test_six_in_a_row_wins_too() -> None:
    assert after(Gomoku(9), "A1 A9 B1 A8 C1 A7 E1 A6 F1 B9 D1").value == 1


def test_a_row_does_not_go_around_the_edge() -> None:
    assert not after(Mnk(4, 4, 3), "C4 A1 D4 B1 A3").ended


def test_the_last_cell_may_still_win() -> None:
    at = after(TicTacToe(), "A1 B1 B2 A2 C2 A3 B3 C1 C3")
    assert (at.ended, at.value) == (True, 1)


def test_planes_are_from_the_player_to_move() -> None:
    game = TicTacToe()
    at = after(game, "A3 B2 C1")
    planes = np.empty((1, 3, 3, 3), np.float32)
    game.encode(at.states, ROW, planes)
    assert np.flatnonzero(planes[0, 0]).tolist() == [4]
    assert np.flatnonzero(planes[0, 1]).tolist() == [0, 8]
    assert not planes[0, 2].any()


def test_players_alternate() -> None:
    at = after(TicTacToe(), "A1")
    with pytest.raises(InputError, match="alternate"):
        at.play(0, FIRST)
    at.play(0, SECOND)
    assert at.to_move == FIRST
