"""The rules of Go where programs go wrong, each on a small board."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.core import InputError, UnknownNameError
from toolkit.models.alphago.games import FIRST, SECOND, Go, Position

ROW = np.zeros(1, np.int64)


def position(game: Go, diagram: str, *, to_move: int = FIRST) -> Position:
    """A position drawn with X, O and dots."""
    rows = diagram.split()
    states = game.new(1)
    for player, letter in ((FIRST, "X"), (SECOND, "O")):
        game.place(states, 0, player, [cell for cell, stone in enumerate("".join(rows)) if stone == letter])
    game.set_to_move(states, 0, to_move)
    return Position(game, states)


def play(at: Position, moves: str) -> None:
    for name in moves.split():
        at.play(at.game.action_of(name))


def diagram(at: Position) -> str:
    return " ".join("".join(".XO"[stone] for stone in row) for row in at.board())


def refused(at: Position, move: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        at.play(at.game.action_of(move))
    assert not at.legal()[at.game.action_of(move)]


KO = """
    .XO.
    X.XO
    .XO.
    ....
"""


@pytest.mark.parametrize(("ko", "reason"), [("simple", "it is ko"), ("positional", "positional superko"), ("situational", "same player")])
def test_ko_and_a_threat_elsewhere(ko: str, reason: str) -> None:
    at = position(Go(4, ko=ko), KO, to_move=SECOND)
    play(at, "B3")
    assert diagram(at) == ".XO. XO.O .XO. ...."
    refused(at, "C3", reason)
    play(at, "A1 D1 C3")
    assert diagram(at) == ".XO. X.XO .XO. X..O"
    refused(at, "B3", reason)


@pytest.mark.parametrize("ko", ["simple", "positional", "situational"])
def test_a_pass_clears_simple_ko_but_not_superko(ko: str) -> None:
    at = position(Go(4, ko=ko), KO, to_move=SECOND)
    play(at, "B3 pass")
    assert at.legal()[at.game.action_of("C3")], "White may fill the ko that Black left"
    if ko == "simple":
        at.play(at.game.action_of("C3"), FIRST)
    else:
        with pytest.raises(InputError, match="superko"):
            at.play(at.game.action_of("C3"), FIRST)


def test_a_pass_never_violates_superko() -> None:
    at = Position(Go(3))
    play(at, "B2 pass A1 pass")
    assert at.legal()[-1]
    play(at, "pass")
    assert at.ended


@pytest.mark.parametrize("ko", ["simple", "positional", "situational"])
def test_snapback(ko: str) -> None:
    """White takes one stone with a chain of three, which Black takes at once: no ko."""
    at = position(Go(3, ko=ko), "..X OOX XX.")
    play(at, "A3 B3")
    assert diagram(at) == ".OX OOX XX."
    play(at, "A3")
    assert diagram(at) == "X.X ..X XX."


@pytest.mark.parametrize("ko", ["simple", "positional", "situational"])
def test_taking_back_a_stone_that_took_two(ko: str) -> None:
    at = position(Go((4, 3), ko=ko), ".XXO XOO. ....", to_move=SECOND)
    play(at, "A3")
    assert diagram(at) == "O..O XOO. ...."
    play(at, "B3")
    assert diagram(at) == ".X.O XOO. ...."


def test_a_move_without_liberty_that_captures_is_legal() -> None:
    at = position(Go(3), ".OX OXX XX.")
    play(at, "A3")
    assert diagram(at) == "X.X .XX XX."


def test_a_chain_that_touches_twice_counts_once() -> None:
    """Taking a chain that touches the point on three sides leaves the same board, and the same key, as never having had it."""
    for ko in ("positional", "situational"):
        at = position(Go(5, ko=ko), "XXXXX XOOOX XO.OX XXXXX .....")
        play(at, "C3")
        assert diagram(at) == "XXXXX X...X X.X.X XXXXX ....."
        direct = position(Go(5, ko=ko), "XXXXX X...X X.X.X XXXXX .....", to_move=SECOND)
        assert at.states[6][0, 6] == direct.states[6][0, 6]
    at = position(Go(3), ".O. OO. ...")
    refused(at, "A3", "suicide")


def test_suicide() -> None:
    stones = ".XO. XXO. OOO."
    refused(position(Go((4, 3)), stones), "A3", "suicide")
    at = position(Go((4, 3), suicide=True), stones)
    play(at, "A3")
    assert diagram(at) == "..O. ..O. OOO."


@pytest.mark.parametrize(("ko", "legal"), [("simple", True), ("positional", False), ("situational", True)])
def test_suicide_of_a_single_stone(ko: str, legal: bool) -> None:
    at = position(Go(3, ko=ko, suicide=True), ".O. O.. ...")
    assert at.legal()[at.game.action_of("A3")] == legal
    if legal:
        play(at, "A3")
        assert diagram(at) == ".O. O.. ..."
    else:
        refused(at, "A3", "superko")


@pytest.mark.parametrize(("komi", "value"), [(0, 0), (0.5, -1), (-0.5, 1)])
def test_two_passes_end_the_game_even_at_its_start(komi: float, value: int) -> None:
    at = Position(Go(5, komi=komi))
    play(at, "pass pass")
    assert (at.ended, at.value) == (True, value)
    refused(at, "A1", "game is over")
    refused(at, "pass", "game is over")


def test_passes_with_a_stone_between_do_not_end_it() -> None:
    at = Position(Go(5))
    play(at, "pass A1 pass B1 pass")
    assert not at.ended


def test_the_longest_game_is_scored_as_it_stands() -> None:
    at = Position(Go(5, komi=0, max_moves=3))
    play(at, "C3 A1 B2")
    assert at.ended
    assert at.value == 1
    assert Go(7).max_moves == 98


def test_no_stone_is_dead_at_the_end() -> None:
    game = Go(5, komi=0.5)
    at = position(game, "..X.. ..X.. OXX.. ..X.. ..X..")
    ownership, score = game.territory(at.states, ROW)
    assert ownership.reshape(5, 5)[:, :2].tolist() == [[0, 0], [0, 0], [-1, 1], [0, 0], [0, 0]]
    assert ownership.reshape(5, 5)[:, 2:].all()
    assert score.tolist() == [15 + 1 - 1 - 0.5]
    assert game.score(game.new(2), np.arange(2)).tolist() == [-0.5, -0.5]


def test_history_planes_hold_eight_boards_from_the_player_to_move() -> None:
    game = Go(4)
    at = Position(game)
    for move in range(9):
        at.play(move)
    planes = np.empty((1, 17, 4, 4), np.float32)
    game.encode(at.states, ROW, planes)
    # After nine moves White (cells 1, 3, 5, 7) is to move; Black has 0, 2, 4, 6, 8.
    for back in range(8):
        played = 9 - back
        assert np.flatnonzero(planes[0, back]).tolist() == [cell for cell in range(played) if cell % 2]
        assert np.flatnonzero(planes[0, 8 + back]).tolist() == [cell for cell in range(played) if cell % 2 == 0]
    assert not planes[0, 16].any()
    at.play(game.actions - 1)
    game.encode(at.states, ROW, planes)
    np.testing.assert_array_equal(planes[0, 0], planes[0, 1])
    assert planes[0, 16].all()


def test_random_players_fill_no_own_eye() -> None:
    at = position(Go(5, komi=0), ".XXX. XXXXX XXXXX XXXXX XXXX.")
    states = Position(at.game, at.states).states
    assert at.game.rollout(states, ROW, seed=3)[1].tolist() == [2], "both pass: White has no move in the eyes"
    assert at.game.board(states, 0).tolist() == at.board().tolist()


@pytest.mark.parametrize("bad", [{"size": 20}, {"size": 1}, {"size": (0, 4)}, {"komi": float("nan")}, {"max_moves": 0}, {"handicap": 10}])
def test_impossible_games(bad: dict) -> None:
    with pytest.raises(InputError, match="expected"):
        Go(**bad)


def test_unknown_ko_rule() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'positional'"):
        Go(5, ko="positionel")


@pytest.mark.parametrize(
    ("size", "stones", "names"),
    [
        (19, 4, "D4 Q16 D16 Q4"),
        (19, 5, "D4 Q16 D16 Q4 K10"),
        (19, 6, "D4 Q16 D16 Q4 D10 Q10"),
        (19, 9, "D4 Q16 D16 Q4 D10 Q10 K4 K16 K10"),
        (9, 2, "C3 G7"),
        (9, 3, "C3 G7 C7"),
        (13, 7, "D4 K10 D10 K4 D7 K7 G7"),
        (7, 4, "C3 E5 C5 E3"),
    ],
)
def test_fixed_handicap(size: int, stones: int, names: str) -> None:
    game = Go(size, handicap=stones)
    assert {game.action_name(cell) for cell in game.handicap_cells(stones)} == set(names.split())
    at = Position(game)
    assert at.to_move == SECOND
    assert np.count_nonzero(at.board() == 1) == stones
    at.play(0)
    assert at.to_move == FIRST


@pytest.mark.parametrize(("size", "stones"), [(5, 2), (7, 5), (10, 5), (9, 1)])
def test_handicap_that_gtp_does_not_define(size: int, stones: int) -> None:
    with pytest.raises(InputError, match="fixed handicap"):
        Go(size).handicap_cells(stones)


def test_stones_are_set_up_only_where_they_can_stand() -> None:
    game = Go(3)
    states = game.new(1)
    game.place(states, 0, FIRST, [1, 3])
    before = [array.copy() for array in states]
    for player, cells, reason in (
        (SECOND, [1], "empty point"),
        (SECOND, [0], "liberty"),
        (SECOND, [9], "no such cell"),
        (FIRST, [0, 2, 4, 5, 6, 7, 8], "liberty"),
    ):
        with pytest.raises(InputError, match=reason):
            game.place(states, 0, player, cells)
        for array, old in zip(states, before, strict=True):
            np.testing.assert_array_equal(array, old)
    game.play(states, ROW, np.array([8]))
    with pytest.raises(InputError, match="before the first move"):
        game.place(states, 0, FIRST, [5])


def test_a_player_may_move_twice_where_a_protocol_says_so() -> None:
    at = Position(Go(5))
    at.play(0)
    at.play(1, FIRST)
    assert at.moves == [(FIRST, 0), (FIRST, 1)]
    assert at.to_move == SECOND
    at.undo()
    assert at.to_move == SECOND
    assert at.history == [0]
