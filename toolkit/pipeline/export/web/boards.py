"""Which nets get the board of their game: the files of a game are in ``games/``, and a game whose files are there has a board.

``games/<family>.js`` shows the board, ``<family>-rules.js`` are the rules that the search asks; what begins with the family's name and a
dot or a hyphen comes with them. The other files are of all games.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from toolkit.core import Format, Manifest
from toolkit.tasks.policy_value import PolicyValue

_GAMES = Path(__file__).parent / "games"
_RULES = "-rules.js"
_NAME = re.compile(r"([a-z-]+?)-(\d+)x(\d+)")
"""The name of a game as manifests have it, such as ``go-9x9``: family, width and height."""


@dataclass(frozen=True)
class Board:
    """The game of a policy/value net: its family, the size of its board, and the numbers that belong to its rules, such as komi."""

    family: str
    width: int
    height: int
    rules: dict[str, int | float]


def board_of(manifest: Manifest) -> Board | None:
    """The board to show, where the manifest names a game that has one and the signature is that of its net; else None.

    ONNX alone: the engine for TF Lite does not start in a worker, where a search has to run.
    """
    found = _NAME.fullmatch(str(manifest.details.get("game", "")))
    if found is None or manifest.format is not Format.ONNX or found[1] not in _families():
        return None
    family, width, height = found[1], int(found[2]), int(found[3])
    inputs = manifest.signature.inputs
    if len(inputs) != 1 or inputs[0].dtype != "float32" or inputs[0].shape[2:] != (height, width):
        return None
    if not PolicyValue().fits(manifest.signature, None):
        return None
    rules = {name: value for name, value in manifest.details.items() if isinstance(value, int | float)}
    return Board(family, width, height, rules)


def files_of_board(board: Board) -> dict[str, Path]:
    """The files of a page for `board`, by name."""
    others = tuple(f"{family}{mark}" for family in _families() - {board.family} for mark in ".-")
    return {path.name: path for path in sorted(_GAMES.iterdir()) if path.is_file() and not path.name.startswith(others)}


def _families() -> set[str]:
    return {path.name.removesuffix(_RULES) for path in _GAMES.glob(f"*{_RULES}")}
