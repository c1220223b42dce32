"""How long to think about a move, from what GTP tells of the time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

_RESERVE_S = 0.1  # For the pipe and the controller.
_LEAST_MOVES = 10  # So many moves are expected to come at any time.


class Clock:
    """Main time and Canadian byo-yomi of both players (GTP 2 draft 2, section 4.2); without settings there is no limit."""

    def __init__(self) -> None:
        self._settings: tuple[int, int, int] | None = None
        self._left: list[tuple[float, int]] = [(0.0, 0), (0.0, 0)]

    def set(self, main_s: int, byo_yomi_s: int, stones: int) -> None:
        """``time_settings``: byo-yomi time without stones means no limit."""
        self._settings = None if byo_yomi_s > 0 and stones == 0 else (main_s, byo_yomi_s, stones)
        self._left = [(float(main_s), 0) if main_s else (float(byo_yomi_s), stones)] * 2

    def left(self, colour: int, seconds: int, stones: int) -> None:
        """``time_left``: 0 stones means main time."""
        self._left[colour] = (float(seconds), stones)
        self._settings = self._settings or (seconds, 0, 0)

    def seconds_for_move(self, colour: int, *, cells: int, played: int) -> float | None:
        """Seconds for the next move; None without a limit. Main time is spread over half of the moves that the empty board leaves."""
        if self._settings is None:
            return None
        seconds, stones = self._left[colour]
        moves = stones or max(_LEAST_MOVES, (cells - played) // 2)
        if not stones and self._settings[1] and self._settings[2]:
            seconds += self._settings[1]
        return max(0.0, seconds / moves - _RESERVE_S)

    @contextlib.contextmanager
    def running(self, colour: int) -> Iterator[None]:
        """Take the time of the block off, for controllers that do not send ``time_left``."""
        start = time.monotonic()
        yield
        seconds, stones = self._left[colour]
        self._left[colour] = (max(0.0, seconds - (time.monotonic() - start)), stones)
