"""Callers that wait together run together: a batch of several costs less than as many calls."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Hashable, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import numpy as np

from toolkit.core import Arrays, EngineError, InputError, Outputs, SignatureError

from ._stream import Runs


@dataclass(frozen=True)
class _Caller:
    """Checked inputs in signature order, how many rows they have, and where the answer goes. Callers with one ``kind`` fit together: the
    sizes of their rows, and what is no row, are the same.
    """

    arrays: list[np.ndarray]
    rows: int
    kind: Hashable
    answer: Future[Outputs] = field(default_factory=Future)


class Batcher:
    """Answers callers in any number of threads or of coroutines by one thread that calls the session.

    Whoever comes while a call runs waits, and all who wait go into the next call together: under load batches grow by themselves. A call
    begins when `most` rows wait, or when the first of them has waited `delay_s` seconds.

    Args:
        session: its batch must be free, and each output must have rows; it stays open when the batcher is closed.
        most: rows of a call at most; a caller with more has a call alone.
        delay_s: how long a caller waits for others where nobody else is served: 0 joins only those who wait anyway.
        waiting: how many callers may wait; further ones are refused.

    Raises:
        SignatureError: the network takes a fixed batch, or gives an output that cannot be divided among callers.
    """

    def __init__(self, session: Runs, *, most: int = 32, delay_s: float = 0.0, waiting: int = 1024) -> None:
        for name, value, least in (("most", most, 1), ("delay_s", delay_s, 0), ("waiting", waiting, 1)):
            if not value >= least:
                raise InputError(name, expected=f"at least {least}", got=str(value))
        self._session, self._signature = session, session.signature
        self._most, self._delay_s = most, delay_s
        self._check_signature()
        self._outputs = Outputs.named([spec.name for spec in self._signature.outputs])
        self._output_axes = [spec.shape.index(self._signature.rows) for spec in self._signature.outputs]
        self._axes = [self._signature.batch_axis(spec) for spec in self._signature.inputs]
        self._queue: queue.Queue[_Caller | None] = queue.Queue(waiting)
        self._lock, self._closed = threading.Lock(), False
        self._late: _Caller | None = None  # Who came for the last batch and did not fit into it.
        self._thread = threading.Thread(target=self._serve, name="toolkit-batcher", daemon=True)
        self._thread.start()

    def _check_signature(self) -> None:
        rows = self._signature.rows
        if not rows:
            raise SignatureError("a batcher joins samples of a free batch", expected="inputs such as [batch, 8]", got=str(self._signature))
        whole = [spec.name for spec in self._signature.outputs if rows not in spec.shape]
        if whole:
            raise SignatureError("outputs cannot be divided among callers", expected=f"an axis '{rows}' in each", got=", ".join(whole))

    def submit(self, inputs: Arrays) -> Future[Outputs]:
        """Ask for one call's outputs, of one row or several; the arrays must not change before the answer is there.

        Raises:
            SignatureError: a name, dtype or shape does not fit.
            EngineError: too many callers wait, or the batcher is closed. Errors of the engine come with the answer.
        """
        arrays = self._signature.check(inputs)
        sizes = {array.shape[axis] for array, axis in zip(arrays, self._axes, strict=True) if axis is not None}
        caller = _Caller(arrays, sizes.pop(), self._kind(arrays))
        with self._lock:
            if self._closed:
                raise EngineError("the batcher is closed", hint="open another one")
            try:
                self._queue.put_nowait(caller)
            except queue.Full:
                raise EngineError(f"{self._queue.maxsize} callers wait already", hint="call again later, or raise `waiting`") from None
        return caller.answer

    def run(self, inputs: Arrays) -> Outputs:
        """As `Session.run`, together with others who wait."""
        return self.submit(inputs).result()

    async def answer(self, inputs: Arrays) -> Outputs:
        """As `run`, for coroutines; one that is cancelled leaves the others alone."""
        import asyncio  # Thirty milliseconds of every app's start; who has coroutines has it.

        return await asyncio.wrap_future(self.submit(inputs))

    def close(self) -> None:
        """Answer those who wait, and end; a later call is refused."""
        with self._lock:
            first, self._closed = not self._closed, True
        if first:
            self._queue.put(None)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _kind(self, arrays: Sequence[np.ndarray]) -> Hashable:
        return tuple(
            array.tobytes() if axis is None else (*array.shape[:axis], *array.shape[axis + 1 :])
            for array, axis in zip(arrays, self._axes, strict=True)
        )

    def _serve(self) -> None:
        while callers := self._next():
            ready = [caller for caller in callers if caller.answer.set_running_or_notify_cancel()]
            if ready:
                self._answer(ready)

    def _next(self) -> list[_Caller]:
        """Who is served together next; nobody at the end."""
        first = self._late or self._queue.get()
        self._late = None
        if first is None:
            return []
        callers, rows = [first], first.rows
        until = time.monotonic() + self._delay_s
        while rows < self._most:
            try:
                other = self._queue.get(timeout=left) if (left := until - time.monotonic()) > 0 else self._queue.get_nowait()
            except queue.Empty:
                break
            if other is None:
                self._queue.put(None)  # For the next round, in which nobody waits any more.
                break
            if other.kind != first.kind or rows + other.rows > self._most:
                self._late = other
                break
            callers.append(other)
            rows += other.rows
        return callers

    def _answer(self, callers: list[_Caller]) -> None:
        if len(callers) == 1:
            self._answer_alone(callers[0])
            return
        try:
            outputs = self._session.run(self._joined(callers))
            if {array.shape[axis] for array, axis in zip(outputs, self._output_axes, strict=True)} != {
                sum(caller.rows for caller in callers)
            }:
                raise EngineError("outputs have other rows than inputs")
        except Exception:  # What is wrong with one of them is not the others'.
            for caller in callers:
                self._answer_alone(caller)
            return
        ends = np.cumsum([caller.rows for caller in callers])[:-1]
        parts = [np.split(array, ends, axis=axis) for array, axis in zip(outputs, self._output_axes, strict=True)]
        for caller, own in zip(callers, zip(*parts, strict=True), strict=True):
            _settle(caller.answer, self._outputs(part.copy() for part in own))

    def _answer_alone(self, caller: _Caller) -> None:
        try:
            _settle(caller.answer, self._session.run(caller.arrays))
        except Exception as error:
            _settle(caller.answer, error)

    def _joined(self, callers: list[_Caller]) -> list[np.ndarray]:
        return [
            callers[0].arrays[place] if axis is None else np.concatenate([caller.arrays[place] for caller in callers], axis=axis)
            for place, axis in enumerate(self._axes)
        ]


def _settle(answer: Future[Outputs], result: Outputs | Exception) -> None:
    """Give an answer, unless its caller has gone."""
    try:
        if isinstance(result, Exception):
            answer.set_exception(result)
        else:
            answer.set_result(result)
    except InvalidStateError:
        return
