"""Each figure of a new artifact beside that of the old one: time, answers, memory, size."""

from __future__ import annotations

import math
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from toolkit.core import (
    Artifact,
    Interval,
    Precision,
    Samples,
    TaskMetric,
    ToolkitError,
    Verdict,
    bootstrap_median,
    bootstrap_ratio,
    rule_for,
)
from toolkit.core.measurement import Protocol, Setting
from toolkit.core.sequential import SignTest
from toolkit.runtimes.benchmark import Paired, run_benchmark, run_pairs
from toolkit.runtimes.parity import Observation, judge, observe
from toolkit.tasks import Limits

from .result import BYTES, NANOSECONDS, Change

_ROUNDS = 5
"""Processes of each artifact whose peak memory is taken."""
_MEMORY_FLOOR = 2**20
"""Bytes below which an allocator's own steps are all that is seen."""


@dataclass
class Turn:
    """What is known of one pair so far: the medians of its processes in nanoseconds, or why it cannot be measured."""

    test: SignTest
    new_ns: list[float] = field(default_factory=list)
    old_ns: list[float] = field(default_factory=list)
    logs: list[float] = field(default_factory=list)
    """Of the ratios of the two, which are closer to each other than the quotients of the medians."""
    problem: str = ""
    broken: bool = False
    """Whether it is the new artifact that cannot."""

    @property
    def is_open(self) -> bool:
        """Whether more turns would tell more."""
        return not self.problem and not self.test.decided


class Turns:
    """Pairs that are measured by turns until each is decided.

    Args:
        pairs: settings, the new one first.
        slower: the limit in percent.
        error: the largest probability that one of them is decided wrongly.
        protocol: of one turn.
    """

    def __init__(self, pairs: Sequence[tuple[Setting, Setting]], slower: float, *, error: float, protocol: Protocol) -> None:
        self._pairs, self._protocol = pairs, protocol
        self._limit = math.log1p(slower / 100)
        self.turns = [Turn(SignTest(error)) for _ in pairs]

    @property
    def most(self) -> int:
        """The turns of the pair that has most."""
        return max((len(turn.new_ns) for turn in self.turns), default=0)

    def take(self, inputs: Path, *, until: float, report: Callable[[int, int], None]) -> None:
        """Measure until all are decided, or the monotonic clock is at `until`; `report` gets how many turns and how many open pairs."""
        index = 0
        while (left := [number for number, turn in enumerate(self.turns) if turn.is_open]) and time.monotonic() < until:
            report(index, len(left))
            found = run_pairs([self._pairs[number] for number in left], inputs=inputs, protocol=self._protocol, index=index)
            for number, paired in zip(left, found, strict=True):
                self._add(self.turns[number], paired)
            index += 1

    def _add(self, turn: Turn, found: Paired) -> None:
        if found.problem:
            turn.broken, turn.problem = found.of == 0, found.problem
            return
        turn.new_ns.append(found.first_ns)
        turn.old_ns.append(found.second_ns)
        turn.logs.append(found.log_ratio)
        turn.test.add(found.log_ratio - self._limit)


def files(verdict: Verdict, reason: str) -> Change:
    """Of an artifact of which nothing is measured."""
    return Change("files", verdict, reason)


def latency(turn: Turn, slower: float) -> Change:
    """By the signs of the turns; the interval beside the verdict is a bootstrap over them."""
    if turn.problem:
        return Change("latency", Verdict.FAILED if turn.broken else Verdict.UNDECIDED, turn.problem, limit=slower, unit=NANOSECONDS)
    if not turn.new_ns:
        return Change("latency", Verdict.UNDECIDED, "not measured in the time that was given", limit=slower, unit=NANOSECONDS)
    count = f"{turn.test.positive} of {len(turn.new_ns)} pairs were slower by more than {slower:g} %"
    verdict = {1: Verdict.FAILED, -1: Verdict.PASSED, 0: Verdict.UNDECIDED}[turn.test.decided]
    if verdict is Verdict.UNDECIDED:
        count += ", which does not tell; give it more --minutes"
    old, new = statistics.median(turn.old_ns), statistics.median(turn.new_ns)
    return Change("latency", verdict, count, old, new, _percent(bootstrap_median(np.exp(turn.logs).tolist())), slower, NANOSECONDS)


def memory(pair: tuple[Setting, Setting], inputs: Path, limit: float) -> Change:
    """The peak above the bare import, in processes of its own."""
    protocol = Protocol(rounds=_ROUNDS, min_seconds=0.05, min_calls=4, warmup_seconds=0.0, warmup_calls=2)
    after, before = run_benchmark(pair, inputs=inputs, protocol=protocol)
    if not (after.ok and before.ok):
        verdict = Verdict.UNDECIDED if after.ok else Verdict.FAILED
        return Change("memory", verdict, after.reason or before.reason, limit=limit, unit=BYTES)
    ours, theirs = ([max(each.memory_bytes, _MEMORY_FLOOR) for each in measured.rounds] for measured in (after, before))
    worse = _percent(bootstrap_ratio(ours, theirs))
    verdict = Verdict.PASSED if worse.high <= limit else Verdict.FAILED if worse.low > limit else Verdict.UNDECIDED
    old, new = statistics.median(theirs), statistics.median(ours)
    return Change("memory", verdict, f"the peak of {_ROUNDS} processes each", old, new, worse, limit, BYTES)


def size(new: int, old: int, limit: float) -> Change:
    """Of all files of the artifact."""
    grown = 100 * (new / old - 1) if old else 0.0
    verdict = Verdict.FAILED if grown > limit else Verdict.PASSED
    return Change("size", verdict, "", old, new, Interval(grown, grown, grown), limit, BYTES)


def answers(new: Artifact, old: Artifact, engine: str, samples: Samples, limits: Limits) -> Change:
    """The task's metric of both on the same samples; without targets, how far the new one answers as the old one."""
    found: list[Observation] = []
    for artifact, verdict, who in ((old, Verdict.UNDECIDED, "the baseline does not run: "), (new, Verdict.FAILED, "")):
        try:
            found.append(observe(artifact, engine, samples))
        except ToolkitError as error:
            return Change("answers", verdict, f"{who}{error}")
        if found[-1].problem:
            return Change("answers", verdict, f"{who}{found[-1].problem}")
    report = judge(new, found[1], found[0], samples, limits=limits)
    if not report.outputs or not all(error.finite for error in report.outputs):
        return Change("answers", Verdict.FAILED, report.reason)
    if report.task is not None:
        return _of_metric(report.task, limits)
    if all(error.within_tolerance for error in report.outputs):
        return Change("answers", Verdict.PASSED, "the same answers")
    unknown = "other answers, and nothing says what they mean; name --task or --metric, and --data with targets"
    return Change("answers", Verdict.UNDECIDED, unknown)


def _of_metric(task: TaskMetric, limits: Limits) -> Change:
    if max(abs(task.drop_low), abs(task.drop_high)) >= sys.float_info.max:
        return Change(task.name, Verdict.UNDECIDED, f"not defined on these {task.samples} samples; add samples")
    # By the rule that has a limit, whatever the precision: the two are of the same one.
    limit = limits.allowed(task)
    verdict = rule_for(Precision.INT8, max_drop=limit).judge_drop(task)
    few = f"; {task.samples} samples do not tell" if verdict is Verdict.UNDECIDED else ""
    worse = Interval(task.drop, task.drop_low, task.drop_high)
    reason = f"n={task.samples}, {task.differing} differ{few}"
    return Change(task.name, verdict, reason, task.reference, task.candidate, worse, limit, task.unit)


def _percent(ratio: Interval) -> Interval:
    return Interval(100 * (ratio.value - 1), 100 * (ratio.low - 1), 100 * (ratio.high - 1))
