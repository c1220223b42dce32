"""Self-play in several processes, each with its own session of the deployed net."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import ProcessError, ToolkitError
from toolkit.models.alphago.games import Game
from toolkit.models.alphago.record import GameRecord
from toolkit.models.alphago.search import CachedEvaluator, Evaluator, UniformEvaluator
from toolkit.models.alphago.selfplay import SelfPlay, SelfPlayOptions

from .evaluator import open_net


@dataclass(frozen=True)
class WorkerOptions:
    """``processes`` workers play ``games`` games each in lockstep, their nets on ``threads`` threads each. ``cache`` positions of the
    net's answers are kept in each.
    """

    game: Game
    selfplay: SelfPlayOptions = field(default_factory=SelfPlayOptions)
    processes: int = 2
    games: int = 64
    threads: int = 1
    cache: int = 1 << 16
    seed: int = 0


@dataclass(frozen=True)
class Played:
    """What a worker did since its last report: finished games; positions that the net was asked about, and those that its cache knew; its
    seconds, and how many of them were the net's.
    """

    records: tuple[GameRecord, ...]
    evaluations: int
    cached: int
    moves: int
    seconds: float
    seconds_net: float


@dataclass(frozen=True)
class _Net:
    path: Path | None
    engine: str | None


class Workers:
    """Processes that play until they are told to stop; games go on from one net to the next.

    Use as a context manager: leaving it ends the processes. A worker that crashes is an error that names its signal.
    """

    def __init__(self, options: WorkerOptions) -> None:
        context = multiprocessing.get_context("spawn")  # A forked child would share the engines' threads and locks.
        self._workers: list[tuple[Any, Connection]] = []
        for index in range(options.processes):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, options, index), daemon=True)
            process.start()
            theirs.close()
            self._workers.append((process, ours))

    def use(self, net: Path | None, *, engine: str | None = None) -> None:
        """Play with the net at this path from now on; None: without a net, every move as likely and every position even."""
        self._tell(_Net(net, engine))
        for process, connection in self._workers:
            self._answer(process, connection)

    def play(self, games: int) -> Iterator[Played]:
        """Play until `games` games have finished, more or less by what several workers finish at once; reports as they come."""
        self._tell("play")
        finished = 0
        busy = {connection: process for process, connection in self._workers}
        while busy:
            for ready in wait(list(busy)):
                assert isinstance(ready, Connection)
                played = self._answer(busy[ready], ready)
                if played is None:
                    del busy[ready]
                    continue
                finished += len(played.records)
                yield played
                if finished >= games:
                    self._tell("stop", busy)
                    games = 1 << 62

    def _tell(self, message: object, only: dict[Connection, Any] | None = None) -> None:
        for process, connection in self._workers:
            if only is None or connection in only:
                try:
                    connection.send(message)
                except OSError as error:
                    raise _ended(process) from error

    @staticmethod
    def _answer(process: Any, connection: Connection) -> Played | None:
        try:
            answer = connection.recv()
        except (EOFError, OSError) as error:
            raise _ended(process) from error
        if isinstance(answer, ToolkitError):
            raise answer
        assert answer is None or isinstance(answer, Played)
        return answer

    def close(self) -> None:
        """End the processes; games in flight are lost."""
        for process, connection in self._workers:
            connection.close()
            process.kill()
            process.join()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _ended(process: Any) -> ProcessError:
    process.join(5)
    code = process.exitcode
    how = f"crashed with signal {-code} ({signal.Signals(-code).name})" if code is not None and code < 0 else f"ended with exit code {code}"
    return ProcessError(f"a self-play process {how}", hint="run the same command again with --resume")


class _Timed:
    """An evaluator and the seconds that it took."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator, self.seconds = evaluator, 0.0

    def __call__(self, planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        start = time.perf_counter()
        answer = self._evaluator(planes)
        self.seconds += time.perf_counter() - start
        return answer


class _Player:
    """The worker's side: games that go on, and the net that plays them now."""

    def __init__(self, options: WorkerOptions, index: int) -> None:
        self._options = options
        self.use(_Net(None, None))
        self._play = SelfPlay(options.game, self._evaluate, options.selfplay, games=options.games, seed=1000 * options.seed + index)

    def _evaluate(self, planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self._cache(planes)

    def use(self, net: _Net) -> None:
        game, threads = self._options.game, self._options.threads
        self._net = _Timed(
            UniformEvaluator(game.actions) if net.path is None else open_net(net.path, game, engine=net.engine, threads=threads)
        )
        # A new cache: what the last net said is no longer true.
        self._cache = CachedEvaluator(self._net, self._options.cache)

    def step(self) -> Played:
        """A move in each game."""
        misses, hits, net, start = self._cache.misses, self._cache.hits, self._net.seconds, time.perf_counter()
        records = tuple(self._play.step())
        seconds = time.perf_counter() - start
        asked, cached = self._cache.misses - misses, self._cache.hits - hits
        return Played(records, asked, cached, self._options.games, seconds, self._net.seconds - net)


def _work(connection: Connection, options: WorkerOptions, index: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle: it ends this process.
    parent = os.getppid()
    player = _Player(options, index)
    with suppress(EOFError, BrokenPipeError):
        while True:
            message = connection.recv()
            try:
                if isinstance(message, _Net):
                    player.use(message)
                    connection.send(None)
                    continue
                while not connection.poll() and os.getppid() == parent:
                    connection.send(player.step())
            except ToolkitError as error:
                connection.send(error)
                continue
            if connection.poll():
                connection.recv()  # The word to stop.
            connection.send(None)
