"""Rounds of many settings, one process after another, in a random order; heats of many in one process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import numpy as np

from toolkit.core import ProcessError, ToolkitError, run_isolated
from toolkit.core.measurement import Measurement, Protocol, Round, Setting

from .worker import Answer, Task, benchmark_heat, benchmark_round

_ROUND, _HEAT = (f"{each.__module__}:{each.__name__}" for each in (benchmark_round, benchmark_heat))


@dataclass(frozen=True)
class RoundProgress:
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

    @classmethod
    def of(cls, setting: Setting, before: Measurement | None) -> _Row:
        """A row with the rounds that were measured `before`, None where none were."""
        return cls(setting) if before is None else cls(setting, list(before.rounds), before.size_bytes, dict(before.actual))

    def frozen(self) -> Measurement:
        reason = self.reason or ("" if self.rounds else "interrupted before its first round")
        return Measurement(self.setting, tuple(self.rounds), self.size_bytes, self.actual, reason)


def run_benchmark(
    settings: Sequence[Setting],
    *,
    inputs: Path,
    protocol: Protocol,
    first_round: int = 0,
    before: Sequence[Measurement] = (),
    on_progress: Callable[[RoundProgress], None] | None = None,
) -> tuple[Measurement, ...]:
    """Measure each setting in ``protocol.rounds`` processes of its own, one running at a time.

    A setting that fails, crashes or runs out of time keeps its reason and is not tried again; the others go on.

    Args:
        settings: what to measure.
        inputs: a ``.npz`` of samples under the models' input names.
        protocol: how long, how often, in which order.
        first_round: the index of the first round, where others were measured before.
        before: what an interrupted run has measured of these settings under this protocol: its rounds are not measured again.
        on_progress: called after each round.

    Returns:
        One measurement a setting, in the order given.

    Raises:
        BenchmarkInterrupted: Ctrl-C; holds what was measured until then.
    """
    known = {each.setting: each for each in before if each.ok}
    rows = [_Row.of(setting, known.get(setting)) for setting in settings]
    random = np.random.default_rng([protocol.seed, first_round] if first_round else protocol.seed)
    total = len(rows) * protocol.rounds
    kept = [each for row in rows for each in row.rounds]
    order, done = max((each.order + 1 for each in kept), default=first_round * len(rows)), len(kept)
    try:
        for index in range(first_round, first_round + protocol.rounds):
            for number in random.permutation(len(rows)):
                row = rows[number]
                if row.reason or any(each.index == index for each in row.rounds):
                    continue
                task = Task(row.setting, protocol, str(inputs), index, order)
                try:
                    answer = msgspec.convert(run_isolated(_ROUND, task, timeout_s=protocol.timeout_s, fresh=True), Answer)
                except ToolkitError as error:
                    row.reason = f"round {index + 1}: {error}" if index else str(error)
                    done += first_round + protocol.rounds - index - sum(each.index > index for each in row.rounds)
                else:
                    row.rounds.append(answer.round)
                    row.size_bytes, row.actual = answer.size_bytes, answer.actual
                    done += 1
                order += 1
                if on_progress is not None:
                    on_progress(RoundProgress(done, total, row.setting, index, row.reason))
    except KeyboardInterrupt:
        raise BenchmarkInterrupted(tuple(row.frozen() for row in rows)) from None
    return tuple(row.frozen() for row in rows)


def run_heats(
    settings: Sequence[Setting], *, inputs: Path, protocol: Protocol, on_progress: Callable[[int, int], None] | None = None
) -> tuple[Measurement, ...]:
    """Measure each setting once, all those of an engine in one process, in a random order: rough figures at a fraction of the time.

    The engine is imported once, and a setting may feel what ran before it in its process: such figures tell what is far behind, not
    what is best. What fails, or was in a process that crashed, is measured in a process of its own.

    Args:
        settings: what to measure.
        inputs: as in `run_benchmark`.
        protocol: ``rounds`` is not looked at; ``timeout_s`` is a setting's.
        on_progress: called with how many settings were measured, and how many there are.

    Returns:
        One measurement of one round a setting, in the order given.
    """
    random = np.random.default_rng(protocol.seed)
    found: dict[Setting, Measurement] = {}
    for engine in dict.fromkeys(setting.engine for setting in settings):
        own = [setting for setting in settings if setting.engine == engine]
        own = [own[number] for number in random.permutation(len(own))]
        tasks = [Task(setting, protocol, str(inputs), 0, len(found) + place) for place, setting in enumerate(own)]
        answers: list[Answer | None] = []
        with suppress(ProcessError):
            answers = msgspec.convert(
                run_isolated(_HEAT, tasks, timeout_s=protocol.timeout_s * len(tasks), fresh=True), list[Answer | None]
            )
        for setting, answer in zip(own, answers, strict=False):
            if answer is not None:
                found[setting] = Measurement(setting, (answer.round,), answer.size_bytes, answer.actual)
        alone = [setting for setting in own if setting not in found]
        found.update({each.setting: each for each in run_benchmark(alone, inputs=inputs, protocol=replace(protocol, rounds=1))})
        if on_progress is not None:
            on_progress(len(found), len(settings))
    return tuple(found[setting] for setting in settings)
