"""Connect Four: stones fall to the lowest free cell of a column, four in a row win."""

from __future__ import annotations

import numpy as np

from toolkit.core import InputError

from .._compiled import compiled
from .base import States
from .mnk import PLACED, RUNNING, STATUS, Mnk, set_stone

_LINE = 4


class ConnectFour(Mnk):
    """`width` columns of `height` cells; an action is a column."""

    def __init__(self, width: int = 7, height: int = 6) -> None:
        if not (1 <= width <= 25 and 1 <= height <= 25 and max(width, height) >= _LINE):
            raise InputError("Connect Four", expected="1 to 25 columns and rows where four in a row fit", got=f"{width} x {height}")
        super().__init__(width, height, _LINE)
        self.actions = width
        self.name = "connect-four" if (width, height) == (7, 6) else f"connect-four-{width}x{height}"

    def play(self, states: States, rows: np.ndarray, actions: np.ndarray) -> None:
        """Drop stones."""
        _play(*states, rows, actions, self.width, self.height)

    def follow(
        self, source: States, source_rows: np.ndarray, paths: np.ndarray, lengths: np.ndarray, target: States, target_rows: np.ndarray
    ) -> None:
        """Copy and drop stones."""
        _follow(*source, source_rows, paths, lengths, *target, target_rows, self.width, self.height)

    def legal(self, states: States, rows: np.ndarray) -> np.ndarray:
        """Every column with a free cell."""
        board, counts = states
        return np.logical_and(board[rows, : self.width] == 0, (counts[rows, STATUS] == RUNNING)[:, None])

    def rollout(self, states: States, rows: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Random columns until the end."""
        moves = _rollout(*states, rows, seed % 2**32, self.width, self.height)
        return self.outcome(states, rows)[1], moves

    def why_illegal(self, states: States, row: int, action: int) -> str:
        """A full column."""
        return super().why_illegal(states, row, action).replace("cell is occupied", "column is full")

    def symmetries(self) -> tuple[np.ndarray, np.ndarray]:
        """The mirror: stones fall, so top and bottom differ."""
        cells, columns = np.arange(self.width * self.height).reshape(self.height, self.width), np.arange(self.width)
        return np.stack([cells.reshape(-1), cells[:, ::-1].reshape(-1)]), np.stack([columns, columns[::-1]])

    def action_name(self, action: int) -> str:
        """A column's letter, as on the drawn board."""
        return super().action_name(action)[0]


@compiled
def _drop(board, counts, column, width, height):
    cell = column + width * (height - 1)
    while board[cell] != 0:
        cell -= width
    set_stone(board, counts, cell, width, height, _LINE)


@compiled
def _play(board, counts, rows, actions, width, height):
    for i in range(len(rows)):
        _drop(board[rows[i]], counts[rows[i]], actions[i], width, height)


@compiled
def _follow(board, counts, source_rows, paths, lengths, to_board, to_counts, target_rows, width, height):
    for i in range(len(source_rows)):
        target = target_rows[i]
        to_board[target] = board[source_rows[i]]
        to_counts[target] = counts[source_rows[i]]
        for k in range(lengths[i]):
            _drop(to_board[target], to_counts[target], paths[i, k], width, height)


@compiled
def _rollout(board, counts, rows, seed, width, height):
    np.random.seed(seed)
    before = counts[rows, PLACED]
    for i in range(len(rows)):
        row = rows[i]
        while counts[row, STATUS] == RUNNING:
            column = np.random.randint(width)
            if board[row, column] == 0:
                _drop(board[row], counts[row], column, width, height)
    return counts[rows, PLACED] - before
