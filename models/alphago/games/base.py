"""What a game must be: rules over many positions at once, kept in flat arrays.

A new game is one file in this folder with a `Game`; ``tests/models/alphago/games/contract.py`` is the test that every game passes.

Positions live in `States`, arrays whose first axis is the row; every method takes the rows it is about, so that finished games drop
out and search works on all games of a batch in one call. The loops over rows are compiled (numba) and release the GIL.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import numpy as np

from toolkit.core import InputError

States = tuple[np.ndarray, ...]
"""A game's own arrays, each ``[rows, ...]``; only the game itself reads them."""

FIRST, SECOND = 0, 1
"""The players: the first to move in an ordinary game (Black, X) and the other."""


class Game(ABC):
    """Rules of a two-player game with perfect information.

    ``name`` says the game and its size, such as ``go-9x9``. ``height`` and ``width`` are the board's. ``actions`` is A, the size of a
    policy; cells come first, row by row from the top left. ``planes`` is C, what `encode` writes. ``max_moves`` ends every game.
    """

    name: str
    height: int
    width: int
    actions: int
    planes: int
    max_moves: int

    @abstractmethod
    def new(self, rows: int) -> States:
        """`rows` starting positions."""

    @abstractmethod
    def play(self, states: States, rows: np.ndarray, actions: np.ndarray) -> None:
        """Play ``actions[i]`` in position ``rows[i]``; rows are distinct. Unchecked: what is illegal or after the end is undefined."""

    @abstractmethod
    def follow(
        self, source: States, source_rows: np.ndarray, paths: np.ndarray, lengths: np.ndarray, target: States, target_rows: np.ndarray
    ) -> None:
        """Copy position ``source_rows[i]`` into ``target_rows[i]`` and play there the first ``lengths[i]`` actions of ``paths[i]``.

        Args:
            source: positions to start from; not changed, unless it is also the target.
            source_rows: ``[n]`` int64.
            paths: ``[n, D]`` int32 legal actions; what lies beyond the length is not read. D may be 0.
            lengths: ``[n]`` int32, at most D.
            target: positions to overwrite.
            target_rows: ``[n]`` int64, distinct.
        """

    @abstractmethod
    def legal(self, states: States, rows: np.ndarray) -> np.ndarray:
        """Which actions are legal: ``[n, A]`` bool. All False where the game has ended."""

    @abstractmethod
    def outcome(self, states: States, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Whether each game has ended, ``[n]`` bool, and its value for the FIRST player, ``[n]`` float32: 1 won, 0 drawn or going on,
        -1 lost.
        """

    def territory(self, states: States, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:  # noqa: ARG002 - most games have none
        """Who owns what when games have ended, for games that count it: ``[n, H * W]`` int8, 1 FIRST, -1 SECOND, 0 nobody, and the score,
        ``[n]`` float32 points for FIRST with komi taken off.
        """
        return None

    @abstractmethod
    def rollout(self, states: States, rows: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Play each position to its end with uniformly random legal moves, in place; Go leaves out those that fill an own eye.

        Returns:
            the value for the FIRST player, ``[n]`` float32, and the moves played, ``[n]`` int32.
        """

    def why_illegal(self, states: States, row: int, action: int) -> str:
        """Why an action is not legal, as half a sentence; empty if it is."""
        one = np.array([row])
        if self.outcome(states, one)[0][0]:
            return "the game is over"
        if not 0 <= action < self.actions:
            return f"actions are 0 to {self.actions - 1}"
        return "" if self.legal(states, one)[0, action] else "the cell is occupied"

    def set_to_move(self, states: States, row: int, player: int) -> None:
        """Let a player move next, as game records and GTP may ask for; raises `InputError` where the rules know no such thing."""
        if self.to_move(states, np.array([row]))[0] != player:
            raise InputError(f"the players of {self.name} alternate", got="two moves of one player")

    @abstractmethod
    def to_move(self, states: States, rows: np.ndarray) -> np.ndarray:
        """Whose turn it is: ``[n]`` int8, `FIRST` or `SECOND`."""

    @abstractmethod
    def encode(self, states: States, rows: np.ndarray, out: np.ndarray) -> None:
        """Write what the network sees, from the view of the player to move, into ``out[:n]``, ``[n, C, H, W]`` float32, all of it."""

    @abstractmethod
    def board(self, states: States, row: int) -> np.ndarray:
        """The board of one position: ``[H, W]`` int8, 0 empty, 1 a stone of `FIRST`, 2 of `SECOND`."""

    @abstractmethod
    def symmetries(self) -> tuple[np.ndarray, np.ndarray]:
        """Transformations that change nothing in the rules, the identity first.

        Returns:
            ``[S, H * W]`` int64: the cell whose content comes to each cell; and ``[S, A]`` int64, the same for actions. For planes
            ``x`` and a policy ``p``, ``x.reshape(C, -1)[:, cells[s]]`` and ``p[actions[s]]`` belong together.
        """

    @abstractmethod
    def action_name(self, action: int) -> str:
        """The usual notation of an action, such as ``D4`` or ``pass``."""

    @final
    def action_of(self, name: str) -> int:
        """The action with that `action_name`, in any case; raises `InputError`."""
        names = {self.action_name(action).lower(): action for action in range(self.actions)}
        try:
            return names[name.strip().lower()]
        except KeyError:
            raise InputError(f"no move '{name}' in {self.name}", expected=f"such as {self.action_name(0)}", got=name) from None


def dihedral_group(height: int, width: int) -> np.ndarray:
    """The rotations and reflections of a board, ``[8, H * W]`` int64 if it is square, else ``[4, H * W]``; the identity first."""
    cells = np.arange(height * width).reshape(height, width)
    turned = [cells, np.rot90(cells), np.rot90(cells, 2), np.rot90(cells, 3)] if height == width else [cells, np.rot90(cells, 2)]
    return np.stack([board.reshape(-1) for one in turned for board in (one, np.fliplr(one))]).astype(np.int64)


def grid_name(row: int, column: int, height: int) -> str:
    """A cell as Go players write it: columns are letters without I, rows are numbers from the bottom."""
    return f"{'ABCDEFGHJKLMNOPQRSTUVWXYZ'[column]}{height - row}"
