"""A finished game of self-play and what its moves teach."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .games import FIRST

NOBODY = -1


@dataclass(frozen=True)
class GameRecord:
    """One finished game of T moves.

    ``actions [T]`` int16; ``planes [T, bytes]`` uint8, the bits of what the network saw before each move; ``policy [T, A]`` float16, the
    search's policy; ``full [T]`` bool, which moves had all playouts; ``values [T]`` float32, the search's value for the mover; ``mover
    [T]`` int8; ``outcome`` for the FIRST player; ``ownership [H * W]`` int8, 1 FIRST, -1 SECOND, and ``score``, points for FIRST with
    komi taken off, where the game has them and was played to the end, else None.
    ``resigned`` is who resigned; ``would_resign`` who would have, in a game where nobody does; `NOBODY` if nobody.
    """

    actions: np.ndarray
    planes: np.ndarray
    policy: np.ndarray
    full: np.ndarray
    values: np.ndarray
    mover: np.ndarray
    outcome: float
    ownership: np.ndarray | None = None
    score: float | None = None
    resigned: int = NOBODY
    would_resign: int = NOBODY
    may_resign: bool = True

    def __len__(self) -> int:
        return len(self.actions)

    @property
    def falsely_resigned(self) -> bool:
        """Whether the player who would have resigned did not lose."""
        if self.would_resign == NOBODY:
            return False
        return (self.outcome if self.would_resign == FIRST else -self.outcome) >= 0
