"""Self-play for its own sake: games of a deployed net against itself, as records for people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from toolkit.core import InputError
from toolkit.models.alphago.games import FIRST, Go
from toolkit.models.alphago.record import NOBODY, GameRecord
from toolkit.models.alphago.sgf import SgfGame, SgfMove, result_text, write_sgf

from .workers import Played, WorkerOptions, Workers


def play_games(options: WorkerOptions, net: Path, *, games: int, engine: str | None = None) -> Iterator[Played]:
    """Reports of the workers until `games` games have finished; raises `ToolkitError`."""
    if games < 1:
        raise InputError("games", expected="at least 1", got=str(games))
    with Workers(options) as pool:
        pool.use(net, engine=engine)
        yield from pool.play(games)


def write_record(record: GameRecord, game: Go, path: Path, *, name: str) -> None:
    """Write one game in SGF, with the chance to win that the search saw before each move; raises `StorageError`."""
    moves = tuple(
        SgfMove(int(colour), int(action), f"wins {50 + 50 * float(value):.1f} %")
        for colour, action, value in zip(record.mover, record.actions, record.values, strict=True)
    )
    score = record.score if record.resigned == NOBODY else None
    result = result_text(score if score is not None else record.outcome, score=score, resigned=record.resigned != NOBODY)
    write_sgf(
        path,
        SgfGame(
            size=game.width,
            komi=game.komi,
            moves=moves,
            black=name,
            white=name,
            result=result,
            rules="Tromp-Taylor",
            to_move=int(record.mover[0]) if len(record) else FIRST,
        ),
    )
