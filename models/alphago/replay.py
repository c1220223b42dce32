"""The positions that training draws from: a window over the last games that grows with all that were played."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toolkit.core import DataError

from .games import FIRST, Game
from .record import GameRecord


@dataclass(frozen=True)
class Batch:
    """Training samples: ``planes [B, C, H, W]`` float32; ``policy [B, A]`` float32 targets; ``policy_weight [B]``, 0 where the move had
    few playouts; ``value [B]`` the outcome for the mover; ``ownership [B, H * W]`` in [0, 1], ``score [B]`` points for the mover, with
    ``known [B]``, 0 where the game was not played to the end.
    """

    planes: np.ndarray
    policy: np.ndarray
    policy_weight: np.ndarray
    value: np.ndarray
    ownership: np.ndarray
    score: np.ndarray
    known: np.ndarray


class Replay:
    """Samples of the last games in flat arrays, planes as bits.

    The window holds ``least * (1 + 0.4 * ((total / least) ** 0.75 - 1) / 0.75)`` positions of `total` seen, at most `most` (Wu 2019,
    appendix C, with its alpha and beta).
    """

    def __init__(self, game: Game, *, least: int = 20_000, most: int = 500_000) -> None:
        self._game, self._least, self._most = game, least, most
        cells = game.height * game.width
        self._bits = game.planes * cells
        self.total = 0
        self.arrays: dict[str, np.ndarray] = {
            "planes": np.empty((0, (self._bits + 7) // 8), np.uint8),
            "policy": np.empty((0, game.actions), np.float16),
            "full": np.empty(0, np.bool_),
            "value": np.empty(0, np.float32),
            "ownership": np.empty((0, cells), np.int8),
            "score": np.empty(0, np.float32),
            "known": np.empty(0, np.bool_),
        }

    def __len__(self) -> int:
        return len(self.arrays["value"])

    @property
    def window(self) -> int:
        """How many positions the window holds by now."""
        if self.total <= self._least:
            return self._least
        return min(self._most, int(self._least * (1 + 0.4 * ((self.total / self._least) ** 0.75 - 1) / 0.75)))

    def add(self, records: list[GameRecord]) -> None:
        """Take the positions of finished games; the oldest ones leave."""
        if not records:
            return
        parts = [self._samples(record) for record in records]
        self.total += sum(len(record) for record in records)
        window = self.window
        self.arrays = {name: np.concatenate([old, *[part[name] for part in parts]])[-window:] for name, old in self.arrays.items()}

    def _samples(self, record: GameRecord) -> dict[str, np.ndarray]:
        moves = len(record)
        sign = np.where(record.mover == FIRST, 1, -1)
        known = record.ownership is not None
        owner = np.zeros(self._game.height * self._game.width, np.int8) if record.ownership is None else record.ownership
        return {
            "planes": record.planes,
            "policy": record.policy,
            "full": record.full,
            "value": (sign * record.outcome).astype(np.float32),
            "ownership": (sign[:, None] * owner[None]).astype(np.int8),
            "score": (sign * (record.score or 0.0)).astype(np.float32),
            "known": np.full(moves, known),
        }

    def sample(self, size: int, random: np.random.Generator) -> Batch:
        """`size` positions, each in one of the game's symmetries, all drawn evenly with replacement."""
        if not len(self):
            raise DataError("no positions to learn from", expected="finished games", hint="play some first")
        rows = random.integers(0, len(self), size)
        cells, actions = self._game.symmetries()
        turn = random.integers(0, len(cells), size)
        return self._batch(rows, cells[turn], actions[turn])

    def newest(self, size: int) -> Batch:
        """The last `size` positions that had all playouts, as they were played."""
        rows = np.flatnonzero(self.arrays["full"])[-size:]
        cells, actions = self._game.symmetries()
        turn = np.zeros(len(rows), np.int64)
        return self._batch(rows, cells[turn], actions[turn])

    def _batch(self, rows: np.ndarray, cells: np.ndarray, actions: np.ndarray) -> Batch:
        game, arrays = self._game, self.arrays
        planes = np.unpackbits(arrays["planes"][rows], axis=1, count=self._bits).reshape(len(rows), game.planes, -1)
        planes = np.take_along_axis(planes, cells[:, None, :], axis=2)
        owner = np.take_along_axis(arrays["ownership"][rows], cells, axis=1)
        return Batch(
            planes=planes.reshape(len(rows), game.planes, game.height, game.width).astype(np.float32),
            policy=np.take_along_axis(arrays["policy"][rows], actions, axis=1).astype(np.float32),
            policy_weight=arrays["full"][rows].astype(np.float32),
            value=arrays["value"][rows],
            ownership=(owner.astype(np.float32) + 1) / 2,
            score=arrays["score"][rows],
            known=arrays["known"][rows].astype(np.float32),
        )
