"""One stream of calls: rotating inputs, a duration for each call, and outputs that are looked at afterwards."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence

import numpy as np

from toolkit.core import EngineError, Samples, Signature
from toolkit.runtimes.base import Session

TOLERANCE = 1e-3
"""How far a timed output may be from the warm-up's, relative to its own size and to the output's largest entry."""

_KEPT_BYTES = 4 << 20
_KEPT_CALLS = 256

Batch = np.ndarray | list[np.ndarray]


def batches_of(samples: Samples, signature: Signature, *, batch: int, count: int) -> list[Batch]:
    """`count` inputs of `batch` rows each, taken from `samples` one after another and from the start again when they end.

    A single input is one array, which is the session's shortest path; several are a list in signature order.
    """
    fitted = samples.fit(signature)
    inputs: list[Batch] = []
    for number in range(count):
        rows = np.arange(number * batch, (number + 1) * batch) % len(fitted)
        taken = fitted.batch(rows)
        arrays = [taken[spec.name] for spec in signature.inputs]
        inputs.append(arrays[0] if len(arrays) == 1 else arrays)
    return inputs


class Stream:
    """A session with its inputs. ``latencies_ns`` are the calls' durations since the warm-up, in order."""

    def __init__(self, session: Session, inputs: Sequence[Batch]) -> None:
        self._session = session
        self._inputs = inputs
        self._expected: list[tuple[np.ndarray, ...]] = []
        self._recent: deque[tuple[int, tuple[np.ndarray, ...]]] = deque(maxlen=_KEPT_CALLS)
        self._next = 0
        self.latencies_ns: list[int] = []

    def first_call(self) -> int:
        """Call once and return the duration in nanoseconds."""
        start = self._session.clock()
        self._session.run(self._inputs[0])
        return self._session.clock() - start

    def warm_up(self, *, seconds: float, calls: int) -> tuple[int, int]:
        """Call for at least so long and so often, every input at least once, and keep the outputs to compare with.

        Returns:
            The calls made and the nanoseconds they took.

        Raises:
            EngineError: an output is not finite.
        """
        start, done = time.perf_counter_ns(), 0
        outputs: dict[int, tuple[np.ndarray, ...]] = {}
        while done < max(calls, len(self._inputs)) or time.perf_counter_ns() - start < seconds * 1e9:
            outputs[done % len(self._inputs)] = tuple(self._session.run(self._inputs[done % len(self._inputs)]))
            done += 1
        duration = time.perf_counter_ns() - start
        self._expected = [outputs[index] for index in range(len(self._inputs))]
        for output in self._expected:
            self._check_finite(output)
        size = sum(array.nbytes for array in self._expected[0])
        keep = max(len(self._inputs), min(_KEPT_CALLS, _KEPT_BYTES // max(1, size)))
        self._recent = deque(maxlen=keep)
        return done, duration

    def measure(self, *, seconds: float, calls: int) -> None:
        """Call for at least so long and so often; the outputs of every call are checked in pauses between the calls.

        Raises:
            EngineError: an output is not finite, or not that of the warm-up.
        """
        burst = self._recent.maxlen or 1
        busy = 0
        while len(self.latencies_ns) < calls or busy < seconds * 1e9:
            # Short bursts at first: a slow network must not make hundreds of calls because a fast one needs them.
            typical = busy / len(self.latencies_ns) if self.latencies_ns else 0
            wanted = max(calls - len(self.latencies_ns), (seconds * 1e9 - busy) / typical if typical else 1)
            start = time.perf_counter_ns()  # Not the calls' own time: an engine that lives elsewhere is on its way for most of it.
            self._calls(int(max(1, min(burst, wanted))))
            busy += time.perf_counter_ns() - start
            self.check()

    def block(self, *, seconds: float) -> float:
        """Call for at least so long, after one call that brings what another session has driven out of the caches; the outputs are left
        for `check`.

        Returns:
            The median of the calls in nanoseconds.
        """
        self._session.run(self._inputs[self._next])
        begin, start = len(self.latencies_ns), time.perf_counter_ns()
        while len(self.latencies_ns) == begin or time.perf_counter_ns() - start < seconds * 1e9:
            self._calls(1)
        return float(np.median(self.latencies_ns[begin:]))

    def flood(self, barrier: threading.Barrier, *, seconds: float, calls: int) -> tuple[int, int]:
        """Call without a pause once all streams are at the `barrier`; the last outputs are left for `check`.

        Returns:
            When the first call began and when the last one ended, on the session's clock.
        """
        barrier.wait()
        began, start = time.perf_counter_ns(), self._session.clock()
        while len(self.latencies_ns) < calls or time.perf_counter_ns() - began < seconds * 1e9:
            self._calls(1)
        return start, self._session.clock()

    def check(self) -> None:
        """Compare the outputs kept since the last check with the warm-up's; raises `EngineError`."""
        for index, expected in enumerate(self._expected):
            found = [outputs for number, outputs in self._recent if number == index]
            if not found:
                continue
            for place, want in enumerate(expected):
                have = np.stack([outputs[place] for outputs in found])
                self._check_finite((have,))
                bound = TOLERANCE * (np.abs(want) + np.max(np.abs(want), initial=0))
                if np.any(np.abs(have - want) > bound):
                    raise EngineError(
                        f"{self._session.actual.engine} gave different outputs for the same input while it was timed",
                        expected=f"within {TOLERANCE} of the warm-up's",
                        got=f"a difference of {np.max(np.abs(have - want)):.3g}",
                    )
        self._recent.clear()

    def _calls(self, count: int) -> None:
        run, inputs, clock = self._session.run, self._inputs, self._session.clock
        latencies, recent, index = self.latencies_ns, self._recent, self._next
        for _ in range(count):
            values = inputs[index]
            start = clock()
            outputs = run(values)
            latencies.append(clock() - start)
            recent.append((index, outputs))
            index = index + 1 if index + 1 < len(inputs) else 0
        self._next = index

    def _check_finite(self, outputs: Sequence[np.ndarray]) -> None:
        for array in outputs:
            if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
                raise EngineError(f"{self._session.actual.engine} gave NaN or infinity", hint="run: toolkit verify")
