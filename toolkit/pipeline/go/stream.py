"""Games that never wait: a thread gathers what workers report while the learner trains."""

from __future__ import annotations

import queue
import threading

from .workers import Played, Workers

_NO_END = 1 << 62


class Stream:
    """Reports of workers that play without a pause, as a context manager. Leaving it lets each worker finish its move."""

    def __init__(self, pool: Workers) -> None:
        self._pool = pool
        self._reports: queue.SimpleQueue[Played | BaseException] = queue.SimpleQueue()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._gather, daemon=True)

    def arrived(self, *, wait: bool) -> list[Played]:
        """All reports since the last call; with `wait` one at least. Raises what ended a worker."""
        reports = [self._reports.get()] if wait else []
        while not self._reports.empty():
            reports.append(self._reports.get())
        for report in reports:
            if isinstance(report, BaseException):
                raise report
        return [report for report in reports if isinstance(report, Played)]

    def _gather(self) -> None:
        try:
            for played in self._pool.play(_NO_END):
                self._reports.put(played)
                if self._over.is_set():
                    return
        except BaseException as error:  # The learner's thread is who can tell the user.
            self._reports.put(error)

    def __enter__(self) -> Stream:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(60)
