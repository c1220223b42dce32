"""Which artifact to ship on this machine, and why, in one line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

from toolkit.core import Verdict
from toolkit.core.measurement import BenchmarkReport, Measurement, Scenario, Speed, compare

from . import text


@dataclass(frozen=True)
class Recommendation:
    """The artifact and engine to ship, both empty when nothing that passed parity was measured.

    Args:
        artifact: its name.
        engine: its name.
        reason: what to ship with its figures and its ``note``, or that there is nothing to recommend and why.
        note: why this one among those that are as fast, or why there is none; empty where the fastest is alone.
        measurement: what was measured of it.
    """

    artifact: str
    engine: str
    reason: str
    note: str = ""
    measurement: Measurement | None = None


class Prefer(StrEnum):
    """What decides among artifacts that passed parity and are as fast as each other."""

    SIZE = "size"
    PRECISION = "precision"
    LATENCY = "latency"


@dataclass(frozen=True)
class Figures:
    """What decides among candidates: a call's median in ns, the file's size, how far its precision is from fp32, what the import of its
    engine takes in ns, and its threads.
    """

    latency_ns: float
    size_bytes: int
    distance: int
    import_ns: float
    threads: int = 1


NEAR = 1.1
"""Where the noise is not known, what takes so many times the fastest median is as fast."""

_SAME_START_NS = 0.25e9
"""Engines whose imports differ by less start as quickly as each other."""

_SAME_SIZE = 1.05
"""Files whose sizes differ by less are as large as each other: containers of the same weights differ by their headers."""


def recommend(report: BenchmarkReport, *, threads: int | None = None, batch: int = 1, prefer: Prefer = Prefer.SIZE) -> Recommendation:
    """The fastest artifact whose parity passed, by single-stream latency.

    Where several are statistically tied with the fastest, `prefer` decides. The smallest file is the default: all of them have passed
    parity, so none loses more than the limit, and at the edge the file is what is downloaded, kept in flash and mapped into memory. Then
    the highest precision wins, the engine that is imported sooner, the fewest threads, the lowest median.

    Args:
        report: what was measured.
        threads: only settings with so many threads; None for any that the machine has.
        batch: only settings with this batch; the smallest measured one when there is none.
        prefer: what decides a tie.
    """
    usable = [
        m
        for m in report.measurements
        if m.ok
        and m.setting.scenario is Scenario.SINGLE_STREAM
        and (m.setting.threads == threads if threads else not report.is_oversubscribed(m.setting))
    ]
    if usable and not any(m.setting.batch == batch for m in usable):
        batch = min(m.setting.batch for m in usable)
    usable = [m for m in usable if m.setting.batch == batch]
    if not usable:
        return _nothing("no artifact was measured.")
    passed = [m for m in usable if (row := report.parity_of(m)) and row.verdict is Verdict.PASSED]
    if not passed:
        undecided = {m.setting.artifact for m in usable if (row := report.parity_of(m)) and row.verdict is Verdict.UNDECIDED}
        few = f"; too few samples to decide on {', '.join(sorted(undecided))}" if undecided else ""
        return _nothing(f"no measured artifact has passed parity{few}. Run: toolkit verify")
    fastest = min(passed, key=lambda m: m.latency_ns.value)
    level = [m for m in passed if m is fastest or _as_fast(m, fastest)]
    chosen, note = level[preferred([_figures_of(m) for m in level], prefer=prefer)], ""
    others = [m for m in level if m is not chosen]
    if others:
        note = f"{_tie(chosen, others)}; {_preference(chosen, others, prefer)}."
    return Recommendation(chosen.setting.artifact, chosen.setting.engine, f"{_figures(chosen, report)} {note}".rstrip(), note, chosen)


def preferred(level: Sequence[Figures], *, prefer: Prefer = Prefer.SIZE) -> int:
    """The index of the one to ship among those that are as fast as each other."""
    smallest, soonest = min(each.size_bytes for each in level), min(each.import_ns for each in level)

    def rank(index: int) -> tuple[float, ...]:
        each = level[index]
        first = {Prefer.SIZE: each.size_bytes > _SAME_SIZE * smallest, Prefer.PRECISION: False, Prefer.LATENCY: each.latency_ns}
        return first[prefer], each.distance, each.import_ns > soonest + _SAME_START_NS, each.threads, each.latency_ns

    return min(range(len(level)), key=rank)


def _figures_of(measurement: Measurement) -> Figures:
    import_ns = median(r.import_ns for r in measurement.rounds)
    return Figures(measurement.latency_ns.value, measurement.size_bytes, _distance(measurement), import_ns, measurement.setting.threads)


def _nothing(why: str) -> Recommendation:
    return Recommendation("", "", f"Nothing to recommend: {why}", f"{why[0].upper()}{why[1:]}")


def _as_fast(candidate: Measurement, fastest: Measurement) -> bool:
    comparison = compare(candidate, fastest)
    if comparison is None:
        return False
    if comparison.verdict is Speed.TOO_FEW:  # Nothing is known of the noise: what is far behind is no tie.
        return candidate.latency_ns.value <= NEAR * fastest.latency_ns.value
    return comparison.verdict is Speed.NOT_DISTINGUISHABLE


def _figures(chosen: Measurement, report: BenchmarkReport) -> str:
    setting = chosen.setting
    threads = "1 thread" if setting.threads == 1 else f"{setting.threads} threads"
    parts = [f"{text.duration_interval(chosen.latency_ns)} at batch {setting.batch} with {threads}", _speed_up(chosen, report)]
    evidence = report.parity_of(chosen)
    if evidence and evidence.task:
        task = evidence.task
        parts.append(
            f"{task.name} {text.accuracy(task)}, a {task.change} of {text.drop(task)} {task.unit} on {task.samples} samples".replace(
                "  ", " "
            )
        )
    else:
        parts.append("parity passed, no task metric")
    parts.append(text.size(chosen.size_bytes))
    return f"Ship {setting.artifact} with {setting.engine}: {'; '.join(part for part in parts if part)}."


def _tie(chosen: Measurement, others: list[Measurement]) -> str:
    names = ", ".join(_name(m, beside=chosen) for m in others[:3])
    more = f" and {len(others) - 3} more" if len(others) > 3 else ""
    rounds = "" if len(chosen.rounds) > 2 else " (too few rounds)"
    return f"Statistically tied with {names}{more}{rounds}"


def _name(measurement: Measurement, *, beside: Measurement) -> str:
    setting = measurement.setting
    threads = f" (threads: {setting.threads})" if setting.threads != beside.setting.threads else ""
    return f"{setting.artifact} with {setting.engine}{threads}"


def _preference(chosen: Measurement, others: list[Measurement], prefer: Prefer) -> str:
    """What decided: the first of the criteria in which it is alone."""
    if prefer is Prefer.LATENCY:
        return "it has the lowest median of them"
    rivals = [m for m in others if prefer is Prefer.PRECISION or m.size_bytes <= _SAME_SIZE * chosen.size_bytes]
    if not rivals:
        return "it has the smallest file of them"
    of = "those with the smallest files" if len(rivals) < len(others) else "them"
    as_exact = [m for m in rivals if _distance(m) == _distance(chosen)]
    if not as_exact:
        return f"it has the highest precision of {of}"
    soon = min(_figures_of(m).import_ns for m in (chosen, *as_exact)) + _SAME_START_NS
    as_exact = [m for m in as_exact if _figures_of(m).import_ns <= soon]
    if not as_exact:
        return f"its engine is imported the soonest of {of}"
    if all(m.setting.threads > chosen.setting.threads for m in as_exact):
        return f"it needs the fewest threads of {of}"
    return f"it has the lowest median of {of}"


def _distance(measurement: Measurement) -> int:
    return measurement.setting.precision.distance


def _speed_up(chosen: Measurement, report: BenchmarkReport) -> str:
    baseline = report.baseline_of(chosen)
    if baseline is chosen:
        return "this is the fp32 ONNX Runtime baseline itself"
    comparison = compare(chosen, baseline) if baseline else None
    if comparison is None:
        return "no fp32 ONNX Runtime baseline was measured"
    if comparison.verdict is Speed.TOO_FEW:
        return f"{comparison.ratio.value:.2f}× the speed of fp32 ONNX Runtime, from too few rounds to be sure"
    if comparison.verdict is Speed.NOT_DISTINGUISHABLE:
        return f"not distinguishable from fp32 ONNX Runtime ({text.ratio_interval(comparison.ratio)})"
    return f"{text.ratio_interval(comparison.ratio)} the speed of fp32 ONNX Runtime"
