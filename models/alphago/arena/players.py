"""Who plays in a match: many games at once, one a row of the match's states."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from ..games import Game, Go, States
from ..search import Search, choose

RESIGN, CRASHED = -1, -2
"""Choices that are no actions: the player gives up, or cannot go on with this game."""


class Player(Protocol):
    """One side of a match.

    The match calls `start` once, `begin` when a game starts in a row, `choose` for the rows where it is this player's turn, and
    `played` after every move by either side, those of the opening and its own among them; at the end `close`.
    """

    name: str

    def start(self, game: Game, games: int, seed: int) -> None:
        """Get ready for `games` rows; raises `InputError` for a game that this player cannot play."""

    def begin(self, rows: np.ndarray) -> None:
        """Games start in these rows, ``[n]`` int64."""

    def choose(self, states: States, rows: np.ndarray) -> np.ndarray:
        """Actions for these rows, ``[n]`` int64, or `RESIGN`, or `CRASHED`, after which no more is asked until `begin`."""

    def played(self, rows: np.ndarray, actions: np.ndarray) -> None:
        """What was played in these rows."""

    def note(self, row: int) -> str:
        """What to write beside the last choice in a row: the win rate, or why it crashed."""

    def close(self) -> None:
        """Let go of everything."""


class RandomPlayer:
    """Any legal move with equal chance; in Go none that fills an own eye, and a pass only when there is no other."""

    def __init__(self, name: str = "random") -> None:
        self.name = name

    def start(self, game: Game, games: int, seed: int) -> None:  # noqa: ARG002 - needs nothing for each game
        """Seed."""
        self._game, self._random = game, np.random.default_rng(seed)

    def begin(self, rows: np.ndarray) -> None:
        """Nothing to prepare."""

    def choose(self, states: States, rows: np.ndarray) -> np.ndarray:
        """One of the candidates."""
        legal = self._game.legal(states, rows)
        if isinstance(self._game, Go):
            for i, (row, player) in enumerate(zip(rows, self._game.to_move(states, rows), strict=True)):
                legal[i, :-1] &= ~own_eyes(self._game.board(states, row), int(player) + 1).reshape(-1)
            legal[:, -1] = ~legal[:, :-1].any(1)
        return np.argmax(self._random.random(legal.shape) * legal, axis=1)

    def played(self, rows: np.ndarray, actions: np.ndarray) -> None:
        """Nothing to remember."""

    def note(self, row: int) -> str:  # noqa: ARG002 - knows nothing of its moves
        """Nothing."""
        return ""

    def close(self) -> None:
        """Nothing to let go."""


class SearchPlayer:
    """A tree search, with a network or with random playouts.

    Args:
        name: what to call it.
        search: makes the search for a game, a number of rows, and a seed.
        playouts: for each move.
        temperature: with which the first `temperature_moves` moves of a game are drawn from the visits; 0 plays what the search says.
        temperature_moves: plies, those of the opening among them.
    """

    def __init__(
        self,
        name: str,
        search: Callable[[Game, int, int], Search],
        *,
        playouts: int,
        temperature: float = 0.0,
        temperature_moves: int = 0,
    ) -> None:
        self.name, self._make, self._playouts = name, search, playouts
        self._temperature, self._temperature_moves = temperature, temperature_moves

    def start(self, game: Game, games: int, seed: int) -> None:
        """Make the search."""
        self._search, self._random = self._make(game, games, seed), np.random.default_rng([seed, 1])
        self._moves, self._values = np.zeros(games, np.int64), np.zeros(games)

    def begin(self, rows: np.ndarray) -> None:
        """Empty trees."""
        self._search.reset(rows)
        self._moves[rows] = 0

    def choose(self, states: States, rows: np.ndarray) -> np.ndarray:
        """Search all rows together."""
        result = self._search.run(states, rows, np.full(len(rows), self._playouts, np.int32))
        self._values[rows] = result.value
        actions = result.action.astype(np.int64)
        early = self._moves[rows] < self._temperature_moves
        if self._temperature > 0 and early.any():
            actions[early] = choose(result.visits[early], self._temperature, self._random)
        return actions

    def played(self, rows: np.ndarray, actions: np.ndarray) -> None:
        """Keep the part of the tree that was played."""
        self._search.advance(rows, actions)
        self._moves[rows] += 1

    def note(self, row: int) -> str:
        """The chance to win, for the player who moved."""
        return f"wins {50 + 50 * self._values[row]:.1f} %"

    def close(self) -> None:
        """Nothing to let go."""


def own_eyes(board: np.ndarray, stone: int) -> np.ndarray:
    """Empty points, ``[H, W]`` bool, that only own stones touch and that the other side cannot make false: it holds fewer than two of
    the diagonal points, or none at the board's edge.
    """
    height, width = board.shape
    wall = np.pad(board, 1, constant_values=3)

    def at(down: int, right: int) -> np.ndarray:
        return wall[1 + down : 1 + down + height, 1 + right : 1 + right + width]

    beside = [at(*step) for step in ((0, 1), (1, 0), (0, -1), (-1, 0))]
    across = [at(*step) for step in ((1, 1), (1, -1), (-1, 1), (-1, -1))]
    surrounded = np.all([(points == stone) | (points == 3) for points in beside], axis=0)
    enemies = np.sum([points == 3 - stone for points in across], axis=0)
    edge = np.any([points == 3 for points in beside], axis=0)
    return np.asarray((board == 0) & surrounded & (enemies + edge < 2))
