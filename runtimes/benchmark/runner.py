"""Rounds of many settings, one process after another, in a random order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np

from toolkit.core import ToolkitError, run_isolated
from toolkit.core.measurement import Measurement, Protocol, Round, Setting

from .worker import Answer, Task, benchmark_round

_TASK = f"{benchmark_round.__module__}:{benchmark_round.__name__}"


@dataclass(frozen=True)
class Progress:
    """A round of `setting` has ended: ``done`` of ``total``, with the `reason` when it failed."""

    done: int
    total: int
    setting: Setting
    index: int
    reason: str = ""


class BenchmarkInterrupted(KeyboardInterrupt):
    """Ctrl-C during a benchmark; ``measurements`` are valid for the rounds that had ended."""

    def __init__(self, measurements: tuple[Measurement, ...]) -> None:
        super().__init__("the benchmark was interrupted")
        self.measurements = measurements


@dataclass
class _Row:
    setting: Setting
    rounds: list[Round] = field(default_factory=list)
    size_bytes: int = 0
    actual: dict[str, str | int] = field(default_factory=dict)
    reason: str = ""

    def frozen(self) -> Measurement:
        reason = self.reason or ("" if self.rounds else "interrupted before its first round")
        return Measurement(self.setting, tuple(self.rounds), self.size_bytes, self.actual, reason)


def run_benchmark(
    settings: Sequence[Setting],
    *,
    inputs: Path,
    protocol: Protocol,
    first_round: int = 0,
    on_progress: Callable[[Progress], None] | None = None,
) -> tuple[Measurement, ...]:
    """Measure each setting in ``protocol.rounds`` processes of its own, one running at a time.

    A setting that fails, crashes or runs out of time keeps its reason and is not tried again; the others go on.

    Args:
        settings: what to measure.
        inputs: a ``.npz`` of samples under the models' input names.
        protocol: how long, how often, in which order.
        first_round: the index of the first round, where others were measured before.
        on_progress: called after each round.

    Returns:
        One measurement a setting, in the order given.

    Raises:
        BenchmarkInterrupted: Ctrl-C; holds what was measured until then.
    """
    rows = [_Row(setting) for setting in settings]
    random = np.random.default_rng([protocol.seed, first_round] if first_round else protocol.seed)
    total = len(rows) * protocol.rounds
    order, done = first_round * len(rows), 0
    try:
        for index in range(first_round, first_round + protocol.rounds):
            for number in random.permutation(len(rows)):
                row = rows[number]
                if row.reason:
                    continue
                task = Task(row.setting, protocol, str(inputs), index, order)
                try:
                    answer = msgspec.convert(run_isolated(_TASK, task, timeout_s=protocol.timeout_s), Answer)
                except ToolkitError as error:
                    row.reason = f"round {index + 1}: {error}" if index else str(error)
                    done += first_round + protocol.rounds - index
                else:
                    row.rounds.append(answer.round)
                    row.size_bytes, row.actual = answer.size_bytes, answer.actual
                    done += 1
                order += 1
                if on_progress is not None:
                    on_progress(Progress(done, total, row.setting, index, row.reason))
    except KeyboardInterrupt:
        raise BenchmarkInterrupted(tuple(row.frozen() for row in rows)) from None
    return tuple(row.frozen() for row in rows)
