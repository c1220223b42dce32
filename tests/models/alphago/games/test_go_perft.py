"""Known counts of Go: lines of play, legal positions, games without repetition, random games."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numba import njit

from tests.models.alphago.games.perft import perft
from toolkit.models.alphago.games import FIRST, SECOND, Go, Position
from toolkit.models.alphago.games import _go_rules as rules

SIMPLE, POSITIONAL, SITUATIONAL = "simple", "positional", "situational"


@pytest.mark.parametrize(
    ("size", "ko", "suicide", "counts"),
    [
        (2, SIMPLE, False, [5, 21, 69, 161, 337, 673, 1329, 2929, 6441]),
        (2, POSITIONAL, False, [5, 21, 69, 161, 337, 673, 1249, 2521, 4857]),
        (3, SIMPLE, False, [10, 91, 739, 5291, 33475, 180451]),
        (3, POSITIONAL, False, [10, 91, 739, 5291, 33475, 180451]),
        (3, SITUATIONAL, False, [10, 91, 739, 5291, 33475, 180451]),
        (4, POSITIONAL, False, [17, 273, 4113, 58001, 764289]),
        (5, POSITIONAL, False, [26, 651, 15651, 361067]),
        (2, SIMPLE, True, [5, 21, 69, 185, 449, 977, 2185, 5601, 15385]),
        (2, SITUATIONAL, True, [5, 21, 69, 185, 449, 929, 1889, 4385, 10737]),
        (3, SIMPLE, True, [10, 91, 739, 5355, 34363, 194163]),
        (3, POSITIONAL, True, [10, 91, 739, 5291, 33475, 181507]),
    ],
)
def test_lines_of_play(size: int, ko: str, suicide: bool, counts: list[int]) -> None:
    assert perft(Go(size, ko=ko, suicide=suicide, max_moves=40), len(counts), with_ended=True) == counts


@njit  # type: ignore[untyped-decorator]
def _count_legal(position: Any, points: Any, stride: Any, zobrist: Any) -> Any:
    taken = np.empty(len(position[0]), np.int16)
    count = 0
    for code in range(3 ** len(points)):
        for point in points:
            position[0][point] = 0
        rest = code
        stands = True
        for point in points:
            if rest % 3 and rules.set_stone(position, point, rest % 3, stride, zobrist, taken):
                stands = False
                break
            rest //= 3
        count += stands
    return count


@pytest.mark.parametrize(
    ("size", "legal"),
    [((2, 1), 5), ((3, 1), 15), ((1, 4), 41), ((5, 1), 113), ((2, 2), 57), ((3, 3), 12675), ((4, 3), 321689)],
)
def test_legal_positions(size: tuple[int, int], legal: int) -> None:
    game = Go(size)
    position = tuple(array[0] for array in game.new(1))
    assert _count_legal(position, game._points, game.width + 1, game._zobrist) == legal


def _games(position: Position) -> int:
    count = 1
    for player in (FIRST, SECOND):
        game, states = position.game, Position(position.game, position.states).states
        game.set_to_move(states, 0, player)
        for action in np.flatnonzero(game.legal(states, np.zeros(1, np.int64))[0][:-1]):
            position.play(int(action), player)
            count += _games(position)
            position.undo()
    return count


@pytest.mark.parametrize(("size", "games"), [((2, 1), 9), ((3, 1), 907)])
def test_games_without_repetition(size: tuple[int, int], games: int) -> None:
    """Stones of either colour at any time, suicide allowed, no board twice (Tromp and Farnebäck 2007, "Combinatorics of Go")."""
    assert _games(Position(Go(size, suicide=True, max_moves=100))) == games


def test_random_games_on_9x9() -> None:
    game, rows = Go(9, komi=0), np.arange(20_000)
    states = game.new(len(rows))
    _, moves = game.rollout(states, rows, seed=1)
    score = game.score(states, rows)
    assert abs(moves.mean() - 111) < 0.5
    assert abs(score.mean() - 2.2) < 4 * score.std() / len(rows) ** 0.5
