"""One game being played: what it answers and how it is drawn."""

from __future__ import annotations

import pytest

from toolkit.core import InputError
from toolkit.models.alphago.games import FIRST, SECOND, ConnectFour, Go, Position


def test_a_drawn_board() -> None:
    at = Position(Go(3))
    at.play(4)
    at.play(0)
    assert at.text() == "    A B C\n 3 (O). .  3\n 2  . X .  2\n 1  . . .  1\n    A B C"
    at.play(9)
    assert "(" not in at.text()
    at.undo()
    at.undo()
    assert at.text() == "    A B C\n 3  . . .  3\n 2  .(X).  2\n 1  . . .  1\n    A B C"


def test_the_widest_board_is_drawn_with_all_its_numbers() -> None:
    at = Position(Go(19))
    at.play(360)
    lines = at.text().splitlines()
    assert lines[0] == "    A B C D E F G H J K L M N O P Q R S T"
    assert lines[1] == "19  " + ". " * 19 + " 19"
    assert lines[-2] == " 1  " + ". " * 17 + ".(X) 1"
    assert len(lines) == 21


def test_a_stone_that_falls_is_marked_where_it_lies() -> None:
    at = Position(ConnectFour(4, 4))
    at.play(1)
    at.play(1)
    assert at.text().splitlines()[3:5] == [" 2  .(O). .  2", " 1  . X . .  1"]


def test_it_says_why_a_move_is_not_legal() -> None:
    at = Position(Go(3))
    at.play(4)
    with pytest.raises(InputError, match=r"^B2 is not legal: the point is occupied$"):
        at.play(4)
    assert at.history == [4]
    assert at.moves == [(FIRST, 4)]
    assert at.to_move == SECOND


def test_the_states_given_are_not_changed() -> None:
    game = Go(3)
    start = game.new(1)
    at = Position(game, start)
    at.play(0)
    assert not game.board(start, 0).any()
    assert at.value == 0
    assert not at.ended
