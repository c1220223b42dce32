"""Games of two players with perfect information, one a file: `Game` is what search, self-play and the arena know of them."""

from __future__ import annotations

from .base import FIRST, SECOND, Game, States, dihedral_group
from .go import Go
from .mnk import Gomoku, TicTacToe

__all__ = ["FIRST", "SECOND", "Game", "Go", "Gomoku", "States", "TicTacToe", "dihedral_group"]
