"""m,n,k games on a board of m columns and n rows, where k in a row win: Gomoku, tic-tac-toe. A longer row wins too."""

from __future__ import annotations

import numpy as np

from toolkit.core import InputError

from .._compiled import compiled
from .base import Game, States, dihedral_group, grid_name

RUNNING, _DRAWN = 0, 3  # 1 and 2: won by the player with these stones.
PLACED, STATUS = 0, 1  # Columns of the second array: stones on the board, and how the game stands.


class Mnk(Game):
    """`width` columns, `height` rows, `line` in a row; states are the board ``[rows, H * W]`` int8 and ``[rows, 2]`` int32."""

    planes = 3

    def __init__(self, width: int, height: int, line: int) -> None:
        if not (1 <= width <= 25 and 1 <= height <= 25 and 1 <= line <= max(width, height)):
            raise InputError(
                "an m,n,k game", expected="1 to 25 columns and rows, and a line that fits", got=f"{width} x {height}, {line} in a row"
            )
        self.width, self.height, self.line = width, height, line
        self.actions = self.max_moves = width * height
        self.name = f"mnk-{width}x{height}-{line}"

    def new(self, rows: int) -> States:
        """Empty boards."""
        return np.zeros((rows, self.width * self.height), np.int8), np.zeros((rows, 2), np.int32)

    def play(self, states: States, rows: np.ndarray, actions: np.ndarray) -> None:
        """Set stones."""
        _play(*states, rows, actions, self.width, self.height, self.line)

    def follow(
        self, source: States, source_rows: np.ndarray, paths: np.ndarray, lengths: np.ndarray, target: States, target_rows: np.ndarray
    ) -> None:
        """Copy and set stones."""
        _follow(*source, source_rows, paths, lengths, *target, target_rows, self.width, self.height, self.line)

    def legal(self, states: States, rows: np.ndarray) -> np.ndarray:
        """Every empty cell."""
        board, counts = states
        return np.logical_and(board[rows] == 0, (counts[rows, STATUS] == RUNNING)[:, None])

    def outcome(self, states: States, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Won by a line, drawn by a full board."""
        status = states[1][rows, STATUS]
        return status != RUNNING, np.array([0, 1, -1, 0], np.float32)[status]

    def rollout(self, states: States, rows: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Random moves until the end."""
        moves = _rollout(*states, rows, seed % 2**32, self.width, self.height, self.line)
        return self.outcome(states, rows)[1], moves

    def to_move(self, states: States, rows: np.ndarray) -> np.ndarray:
        """The players alternate."""
        return (states[1][rows, PLACED] % 2).astype(np.int8)

    def encode(self, states: States, rows: np.ndarray, out: np.ndarray) -> None:
        """Own stones, the other's stones, ones where the first player is to move."""
        _encode(*states, rows, out.reshape(len(out), self.planes, -1))

    def board(self, states: States, row: int) -> np.ndarray:
        """As stored."""
        return states[0][row].reshape(self.height, self.width).copy()

    def symmetries(self) -> tuple[np.ndarray, np.ndarray]:
        """All of the board's."""
        cells = dihedral_group(self.height, self.width)
        return cells, cells

    def action_name(self, action: int) -> str:
        """A cell."""
        return grid_name(*divmod(action, self.width), self.height)


class TicTacToe(Mnk):
    """3 x 3, three in a row."""

    def __init__(self) -> None:
        super().__init__(3, 3, 3)
        self.name = "tic-tac-toe"


class Gomoku(Mnk):
    """Five in a row, free style; 15 x 15 unless told."""

    def __init__(self, size: int = 15, line: int = 5) -> None:
        super().__init__(size, size, line)
        self.name = f"gomoku-{size}x{size}" if line == 5 else self.name


@compiled
def set_stone(board, counts, action, width, height, line):
    """Set a stone of the player to move on a cell, and note in `counts` whether that ends the game."""
    stone = 1 + counts[PLACED] % 2
    board[action] = stone
    counts[PLACED] += 1
    y, x = divmod(action, width)
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        run = 1
        for sign in (1, -1):
            r, c = y + sign * dy, x + sign * dx
            while 0 <= r < height and 0 <= c < width and board[r * width + c] == stone:
                run += 1
                r += sign * dy
                c += sign * dx
        if run >= line:
            counts[STATUS] = stone
            return
    if counts[PLACED] == width * height:
        counts[STATUS] = _DRAWN


@compiled
def _play(board, counts, rows, actions, width, height, line):
    for i in range(len(rows)):
        set_stone(board[rows[i]], counts[rows[i]], actions[i], width, height, line)


@compiled
def _rollout(board, counts, rows, seed, width, height, line):
    moves = np.zeros(len(rows), np.int32)
    empty = np.empty(width * height, np.int32)
    np.random.seed(seed)
    for i in range(len(rows)):
        row = rows[i]
        free = 0
        for cell in range(width * height):
            if board[row, cell] == 0:
                empty[free] = cell
                free += 1
        while counts[row, STATUS] == RUNNING:
            pick = np.random.randint(free)
            set_stone(board[row], counts[row], empty[pick], width, height, line)
            free -= 1
            empty[pick] = empty[free]
            moves[i] += 1
    return moves


@compiled
def _follow(board, counts, source_rows, paths, lengths, to_board, to_counts, target_rows, width, height, line):
    for i in range(len(source_rows)):
        target = target_rows[i]
        to_board[target] = board[source_rows[i]]
        to_counts[target] = counts[source_rows[i]]
        for k in range(lengths[i]):
            set_stone(to_board[target], to_counts[target], paths[i, k], width, height, line)


@compiled
def _encode(board, counts, rows, out):
    for i in range(len(rows)):
        own = 1 + counts[rows[i], PLACED] % 2
        for cell in range(board.shape[1]):
            stone = board[rows[i], cell]
            out[i, 0, cell] = stone == own
            out[i, 1, cell] = stone == 3 - own
            out[i, 2, cell] = own == 1
