"""Self-play in several processes, each with its own session of the deployed net."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from toolkit.core import ProcessError, ToolkitError
from toolkit.core.errors import class_of
from toolkit.models.alphago.games import Game
from toolkit.models.alphago.record import GameRecord
from toolkit.models.alphago.search import CachedEvaluator, Evaluator, UniformEvaluator
from toolkit.models.alphago.selfplay import SelfPlay, SelfPlayOptions

from .evaluator import open_net
from .joined import Seat, SeatEvaluator


@dataclass(frozen=True)
class WorkerOptions:
    """``processes`` workers play ``games`` games each in lockstep, their nets on ``device``, on ``threads`` threads each. ``cache``
    positions of the net's answers are kept in each.
    """

    game: Game
    selfplay: SelfPlayOptions = field(default_factory=SelfPlayOptions)
    processes: int = 2
    games: int = 64
    threads: int = 1
    cache: int = 1 << 16
    seed: int = 0
    device: str = "cpu"


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
class _Request:
    """What a worker is told. It answers ``use`` once, ``play`` with a report for each move until ``stop``, which ends them."""

    what: Literal["use", "play", "stop"]
    net: str | None = None
    """``use``: the artifact's folder, None for no net."""
    engine: str | None = None
    """``use``: the engine's name, None for the format's own."""


@dataclass(frozen=True)
class _Failed:
    """A `ToolkitError` of the worker: its class and its parts."""

    kind: str
    problem: str
    expected: str
    got: str
    hint: str


@dataclass(frozen=True)
class _Answer:
    """What a worker says: a report, an error, or neither when it has done what it was told."""

    played: Played | None = None
    failed: _Failed | None = None


@dataclass(frozen=True)
class _Array:
    """An array as a message holds it."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes


def _encode(message: _Request | _Answer) -> bytes:
    return msgspec.msgpack.encode(message, enc_hook=_from_array)


def _decode_answer(data: bytes) -> _Answer:
    return msgspec.msgpack.decode(data, type=_Answer, dec_hook=_to_array)


def _from_array(value: object) -> _Array:
    if not isinstance(value, np.ndarray):
        raise NotImplementedError(f"a message cannot hold {type(value).__name__}")
    return _Array(value.dtype.str, value.shape, value.tobytes())


def _to_array(_: type, value: object) -> np.ndarray:
    array = msgspec.convert(value, _Array)
    return np.frombuffer(array.data, array.dtype).reshape(array.shape).copy()  # What a buffer lends cannot be written to.


def _failed(error: ToolkitError) -> _Failed:
    return _Failed(type(error).__name__, error.problem, error.expected, error.got, error.hint)


def _error(failed: _Failed) -> ToolkitError:
    return class_of(failed.kind, ToolkitError)(failed.problem, expected=failed.expected, got=failed.got, hint=failed.hint)


class Workers:
    """Processes that play until they are told to stop; games go on from one net to the next.

    Use as a context manager: leaving it ends the processes. A worker that crashes is an error that names its signal. With ``seats``, one
    for each worker, the net is in a process of its own, which joins the batches of all (see `JoinedNet`).
    """

    def __init__(self, options: WorkerOptions, seats: Sequence[Seat] = ()) -> None:
        context = multiprocessing.get_context("spawn")  # A forked child would share the engines' threads and locks.
        self._workers: list[tuple[Any, Connection]] = []
        for index in range(options.processes):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, options, index, seats[index] if seats else None), daemon=True)
            process.start()
            theirs.close()
            self._workers.append((process, ours))

    def use(self, net: Path | None, *, engine: str | None = None) -> None:
        """Play with the net at this path from now on; None: without a net, every move as likely and every position even.

        Workers with seats ask there for any net; what it is they need not know.
        """
        self._tell(_Request("use", None if net is None else str(net), engine))
        for process, connection in self._workers:
            self._answer(process, connection)

    def play(self, games: int) -> Iterator[Played]:
        """Play until `games` games have finished, more or less by what several workers finish at once; reports as they come."""
        self._tell(_Request("play"))
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
                    self._tell(_Request("stop"), busy)
                    games = 1 << 62

    def _tell(self, message: _Request, only: dict[Connection, Any] | None = None) -> None:
        for process, connection in self._workers:
            if only is None or connection in only:
                try:
                    connection.send_bytes(_encode(message))
                except OSError as error:
                    raise _ended(process) from error

    @staticmethod
    def _answer(process: Any, connection: Connection) -> Played | None:
        try:
            answer = _decode_answer(connection.recv_bytes())
        except (EOFError, OSError) as error:
            raise _ended(process) from error
        if answer.failed is not None:
            raise _error(answer.failed)
        return answer.played

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


class _Counted:
    """An evaluator without a cache, which counts as one with a cache does."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator, self.misses, self.hits = evaluator, 0, 0

    def __call__(self, planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.misses += len(planes)
        return self._evaluator(planes)


class _Player:
    """The worker's side: games that go on, and the net that plays them now."""

    def __init__(self, options: WorkerOptions, index: int, seat: Seat | None) -> None:
        self._options, self._seat = options, seat
        self.use(None)
        self._play = SelfPlay(options.game, self._evaluate, options.selfplay, games=options.games, seed=1000 * options.seed + index)

    def _evaluate(self, planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self._cache(planes)

    def use(self, net: Path | None, engine: str | None = None) -> None:
        options = self._options
        if net is None:
            self._net = _Timed(UniformEvaluator(options.game.actions))
        elif self._seat is not None:
            self._net = _Timed(SeatEvaluator(self._seat))
        else:
            self._net = _Timed(open_net(net, options.game, engine=engine, device=options.device, threads=options.threads))
        # A new cache: what the last net said is no longer true. None where nets change in the midst of a game.
        self._cache: CachedEvaluator | _Counted = CachedEvaluator(self._net, options.cache) if self._seat is None else _Counted(self._net)

    def step(self) -> Played:
        """A move in each game."""
        misses, hits, net, start = self._cache.misses, self._cache.hits, self._net.seconds, time.perf_counter()
        records = tuple(self._play.step())
        seconds = time.perf_counter() - start
        asked, cached = self._cache.misses - misses, self._cache.hits - hits
        return Played(records, asked, cached, self._options.games, seconds, self._net.seconds - net)


def _work(connection: Connection, options: WorkerOptions, index: int, seat: Seat | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle: it ends this process.
    parent = os.getppid()
    if seat is not None and hasattr(os, "nice"):
        os.nice(5)  # The net's process, for which all wait, and the learner come first.
    player = _Player(options, index, seat)
    with suppress(EOFError, BrokenPipeError):
        while True:
            request = msgspec.msgpack.decode(connection.recv_bytes(), type=_Request)
            try:
                if request.what == "use":
                    player.use(None if request.net is None else Path(request.net), request.engine)
                    connection.send_bytes(_encode(_Answer()))
                    continue
                while not connection.poll() and os.getppid() == parent:
                    connection.send_bytes(_encode(_Answer(player.step())))
            except ToolkitError as error:
                connection.send_bytes(_encode(_Answer(failed=_failed(error))))
                continue
            if connection.poll():
                connection.recv_bytes()  # The word to stop.
            connection.send_bytes(_encode(_Answer()))
