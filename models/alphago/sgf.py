"""Game records of Go in SGF (FF[4], GM[1]), written and read with sgfmill."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from toolkit.core import ArtifactError, InputError, needs, write_file

from .games import FIRST, SECOND

MAX_BYTES = 8 * 1024 * 1024  # far above any game; a record that is larger is not one

_COLOURS = {"b": FIRST, "w": SECOND}
_LETTERS = "bw"


@dataclass(frozen=True)
class SgfMove:
    """Who plays (`FIRST` is Black), what (a cell, row by row from the top left, or size * size to pass), and a comment."""

    colour: int
    action: int
    comment: str = ""


@dataclass(frozen=True)
class SgfGame:
    """The main line of a game.

    ``black_stones`` and ``white_stones`` are cells set up before it; ``handicap`` is the number of handicap stones, which are among them.
    ``to_move`` is who begins. ``result`` is SGF's: ``B+3.5``, ``W+R``, ``0`` for a draw, ``Void``, or empty when unknown.
    """

    size: int
    komi: float
    moves: tuple[SgfMove, ...] = ()
    black: str = ""
    white: str = ""
    rules: str = ""
    result: str = ""
    handicap: int = 0
    black_stones: tuple[int, ...] = ()
    white_stones: tuple[int, ...] = ()
    to_move: int = FIRST
    comment: str = ""
    properties: dict[str, str] = field(default_factory=dict)
    """Other text properties of the root as they are written: ``{"GN": "game 3", "DT": "2026-01-31"}``; not read back."""


def result_text(value: float, *, score: float | None = None, resigned: bool = False) -> str:
    """SGF's result for a game's value for Black; `score` in points for Black, komi taken off, where the game was counted."""
    if value == 0:
        return "0"
    margin = "R" if resigned else "" if score is None else f"{abs(score):g}"
    return f"{'B' if value > 0 else 'W'}+{margin}"


def sgf_text(game: SgfGame) -> str:
    """The record as text; raises `InputError` for a board that SGF cannot hold."""
    with needs("go"):
        from sgfmill.sgf import Sgf_game
    if not 1 <= game.size <= 25:  # SGF could hold larger ones, but sgfmill 1.1 has no letter for column 26.
        raise InputError("a board to write as SGF", expected="a size from 1 to 25", got=str(game.size))
    record = Sgf_game(size=game.size)
    root = record.get_root()
    root.set("KM", game.komi)
    root.set("AP", ("edge-inference-toolkit", ""))
    texts = {"PB": game.black, "PW": game.white, "RU": game.rules, "RE": game.result, **game.properties}
    for name, text in texts.items():
        if text:
            root.set(name, " ".join(text.split()))
    if game.comment:
        root.set("C", game.comment)
    if game.handicap > 1:
        root.set("HA", game.handicap)
    if game.black_stones or game.white_stones:
        root.set_setup_stones(*([_point(cell, game.size) for cell in cells] for cells in (game.black_stones, game.white_stones)))
    if game.to_move != FIRST or game.white_stones:
        root.set("PL", _LETTERS[game.to_move])
    for move in game.moves:
        node = record.extend_main_sequence()
        node.set_move(_LETTERS[move.colour], _point(move.action, game.size))
        if move.comment:
            node.set("C", move.comment)
    return str(record.serialise().decode())


def parse_sgf(content: bytes, *, where: str = "the SGF text", max_moves: int | None = None) -> SgfGame:
    """The main line of the first game in `content`, cut after `max_moves`.

    Whether its moves are legal is not checked: that depends on the rules they are played under.

    Raises:
        ArtifactError: the text is not a game of Go in SGF, or damaged; `where` names it in the message.
    """
    with needs("go"):
        from sgfmill.sgf import Sgf_game
    if len(content) > MAX_BYTES:
        raise ArtifactError(f"{where} is no game record", expected=f"at most {MAX_BYTES} bytes", got=str(len(content)))
    try:
        record = Sgf_game.from_bytes(content)
        root, size = record.get_root(), record.get_size()
        if (kind := root.get("GM") if root.has_property("GM") else 1) != 1:
            raise ValueError(f"it is a record of another game than Go, GM[{kind}]")
        colours = tuple(tuple(sorted(_cell(point, size) for point in points)) for points in root.get_setup_stones())
        handicap = record.get_handicap() or 0
        nodes = record.get_main_sequence()
        moves: list[SgfMove] = []
        for depth, node in enumerate(nodes):
            if depth and node.has_setup_stones():
                raise ValueError("stones are set up after the first node")
            colour, point = node.get_move()
            if colour is not None and (max_moves is None or len(moves) < max_moves):
                moves.append(SgfMove(_COLOURS[colour], _cell(point, size), node.get("C") if depth and node.has_property("C") else ""))
        first = _first(root.get("PL") if root.has_property("PL") else None, moves, handicap=handicap)
        text = {name: root.get(name) if root.has_property(name) else "" for name in ("PB", "PW", "RU", "RE", "C")}
        return SgfGame(
            size=size, komi=record.get_komi(), moves=tuple(moves), black=text["PB"], white=text["PW"], rules=text["RU"], result=text["RE"],
            handicap=handicap, black_stones=colours[0], white_stones=colours[1], to_move=first, comment=text["C"],
        )  # fmt: skip
    except (ValueError, KeyError, LookupError, RecursionError, OverflowError) as error:
        raise ArtifactError(
            f"{where} is not a game of Go in SGF: {error or type(error).__name__}", hint="open it in an SGF editor"
        ) from error


def read_sgf(path: Path, *, max_moves: int | None = None) -> SgfGame:
    """`parse_sgf` of a file; also raises `ArtifactError` if it cannot be read."""
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ArtifactError(f"cannot read '{path}': {error.strerror}") from error
    return parse_sgf(content, where=f"'{path}'", max_moves=max_moves)


def write_sgf(path: Path, game: SgfGame) -> None:
    """Write a record, whole or not at all."""
    write_file(path, sgf_text(game))


def _first(player: str | None, moves: list[SgfMove], *, handicap: int) -> int:
    if player is not None:
        return _COLOURS[player]
    if moves:
        return moves[0].colour
    return SECOND if handicap else FIRST


def _point(action: int, size: int) -> tuple[int, int] | None:
    """SGF libraries count rows from the bottom."""
    row, column = divmod(action, size)
    return None if row == size else (size - 1 - row, column)


def _cell(point: tuple[int, int] | None, size: int) -> int:
    return size * size if point is None else int(np.ravel_multi_index((size - 1 - point[0], point[1]), (size, size)))
