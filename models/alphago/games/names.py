"""Games by name: the inverse of `Game.name`."""

from __future__ import annotations

import re
from collections.abc import Callable

from toolkit.core import UnknownNameError

from .base import Game
from .connect_four import ConnectFour
from .go import Go
from .mnk import Gomoku, Mnk, TicTacToe

_PATTERNS: dict[str, Callable[..., Game]] = {
    r"go": Go,
    r"go-(\d+)x(\d+)": lambda width, height: Go(width if width == height else (width, height)),
    r"gomoku": Gomoku,
    r"gomoku-(\d+)x\1": Gomoku,
    r"connect-four": ConnectFour,
    r"connect-four-(\d+)x(\d+)": ConnectFour,
    r"tic-tac-toe": TicTacToe,
    r"mnk-(\d+)x(\d+)-(\d+)": Mnk,
}
_EXAMPLES = ("go-9x9", "gomoku-15x15", "connect-four", "connect-four-5x4", "tic-tac-toe", "mnk-6x6-4")


def make_game(text: str) -> Game:
    """The game of a name such as ``go-9x9``, ``gomoku``, ``connect-four-5x4`` (width x height) or ``mnk-6x6-4``.

    Raises:
        UnknownNameError: no game is called so.
        InputError: there is no such size of it.
    """
    for pattern, make in _PATTERNS.items():
        if found := re.fullmatch(pattern, text.strip().lower()):
            return make(*map(int, found.groups()))
    raise UnknownNameError("game", text, _EXAMPLES)
