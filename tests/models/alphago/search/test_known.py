"""Known answers: the visits of whole searches with fixed seeds, over two moves, so that a change of a kernel shows."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.models.alphago.games import Game, TicTacToe
from toolkit.models.alphago.games.go import Go
from toolkit.models.alphago.search import GumbelSearch, Search, SearchOptions, UctSearch

PLAYOUTS = 200


class Scattered:
    """Logits from 0 to 3 and values from -0.5 to 0.5 that differ from position to position, the same on every machine: sums of integers."""

    def __init__(self, actions: int) -> None:
        self._actions = actions

    def __call__(self, planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        bits = planes.reshape(len(planes), -1).astype(np.int64)
        places = np.arange(1, bits.shape[1] + 1)
        logits = bits @ (places[:, None] * np.arange(3, self._actions + 3) ** 2 % 97) % 49 / 16
        return logits.astype(np.float32), ((bits @ (places**2 % 89) % 65 - 32) / 64).astype(np.float32)


def make(kind: str, game: Game) -> Search:
    evaluator = Scattered(game.actions)
    match kind:
        case "puct":
            return Search(game, evaluator, 1, SearchOptions(fpu_reduction=0.3), max_playouts=PLAYOUTS, seed=1)
        case "puct, 4 leaves":
            return Search(game, evaluator, 1, SearchOptions(leaves=4), max_playouts=PLAYOUTS, seed=1)
        case "gumbel":
            return GumbelSearch(game, evaluator, 1, SearchOptions(), max_playouts=PLAYOUTS, seed=1)
        case "ucb1":
            return UctSearch(game, 1, max_playouts=PLAYOUTS, seed=1)
        case _:
            return UctSearch(game, 1, max_playouts=PLAYOUTS, seed=1, exploration=0.3, leaves=1)


KNOWN: dict[tuple[str, str], tuple[list[int], list[int]]] = {
    ("tic-tac-toe", "puct"): (
        [6, 9, 33, 12, 41, 25, 54, 12, 8],
        [20, 1, 24, 46, 1, 7, 0, 134, 20],
    ),
    ("tic-tac-toe", "puct, 4 leaves"): (
        [13, 9, 21, 12, 46, 8, 56, 27, 8],
        [19, 1, 8, 45, 1, 41, 0, 111, 29],
    ),
    ("tic-tac-toe", "gumbel"): (
        [5, 5, 5, 5, 71, 17, 70, 17, 5],
        [31, 68, 8, 11, 0, 9, 24, 72, 47],
    ),
    ("tic-tac-toe", "ucb1"): (
        [59, 10, 12, 20, 22, 19, 18, 22, 18],
        [0, 12, 17, 5, 121, 32, 7, 47, 17],
    ),
    ("tic-tac-toe", "ucb1, a leaf at a time"): (
        [37, 4, 1, 4, 130, 4, 9, 8, 3],
        [3, 12, 259, 3, 0, 27, 10, 3, 12],
    ),
    ("go", "puct"): (
        [5, 13, 20, 14, 10, 20, 14, 5, 7, 21, 12, 3, 10, 6, 10, 3, 27],
        [9, 1, 2, 4, 5, 2, 2, 1, 1, 1, 1, 1, 1, 1, 3, 1, 190],
    ),
    ("go", "puct, 4 leaves"): (
        [5, 13, 27, 14, 9, 19, 14, 6, 7, 21, 14, 3, 12, 6, 9, 4, 17],
        [1, 1, 0, 1, 23, 8, 4, 1, 33, 76, 2, 1, 48, 17, 7, 2, 1],
    ),
    ("go", "gumbel"): (
        [9, 9, 49, 0, 3, 3, 9, 3, 9, 21, 21, 3, 3, 3, 3, 3, 49],
        [3, 49, 0, 21, 9, 7, 6, 49, 15, 16, 4, 3, 41, 12, 7, 3, 3],
    ),
    ("go", "ucb1"): (
        [20, 3, 14, 3, 14, 36, 35, 2, 22, 2, 13, 2, 14, 2, 11, 2, 5],
        [25, 11, 20, 4, 4, 0, 13, 9, 4, 37, 16, 9, 13, 9, 41, 4, 16],
    ),
    ("go", "ucb1, a leaf at a time"): (
        [4, 1, 4, 1, 10, 23, 1, 8, 81, 1, 16, 4, 15, 10, 1, 6, 14],
        [1, 1, 61, 3, 1, 17, 23, 1, 0, 163, 1, 3, 1, 1, 1, 1, 1],
    ),
}
"""Visits at the root after the first search, and after its action, the reply searched for, in the tree that was kept."""


@pytest.mark.parametrize(("game", "kind"), KNOWN)
def test_visits_are_known(game: str, kind: str) -> None:
    rules: Game = TicTacToe() if game == "tic-tac-toe" else Go(4)
    search, states, row = make(kind, rules), rules.new(1), np.array([0])
    for known in KNOWN[game, kind]:
        found = search.run(states, row, np.array([PLAYOUTS], np.int32), noise=np.array([True]))
        assert found.visits[0].tolist() == known
        rules.play(states, row, found.action)
        search.advance(row, found.action)
