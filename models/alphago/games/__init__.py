"""Games of two players with perfect information, one a file: `Game` is what search, self-play and the arena know of them."""

from __future__ import annotations

from .base import FIRST, SECOND, Game, States, dihedral_group
from .connect_four import ConnectFour
from .go import Go
from .mnk import Gomoku, Mnk, TicTacToe
from .names import make_game
from .position import Position

__all__ = [
    "FIRST", "SECOND", "ConnectFour", "Game", "Go", "Gomoku", "Mnk", "Position", "States", "TicTacToe", "dihedral_group", "make_game",
]  # fmt: skip
