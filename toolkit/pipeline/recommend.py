"""Which artifact to ship on this machine, and why, in one line."""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.core import Verdict
from toolkit.core.measurement import BenchmarkReport, Measurement, Scenario, Speed, compare

from . import text


@dataclass(frozen=True)
class Recommendation:
    """The artifact and engine to ship; both empty when nothing that passed parity was measured, which ``reason`` then says."""

    artifact: str
    engine: str
    reason: str
    measurement: Measurement | None = None


def recommend(report: BenchmarkReport, *, threads: int | None = None, batch: int = 1) -> Recommendation:
    """The fastest artifact whose parity passed, by single-stream latency.

    Where several cannot be told apart from the fastest, the highest precision among them wins, then the fewest threads.

    Args:
        report: what was measured.
        threads: only settings with so many threads; None for any that the machine has.
        batch: only settings with this batch; the smallest measured one when there is none.
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
        return Recommendation("", "", "Nothing to recommend: no artifact was measured.")
    passed = [m for m in usable if (row := report.parity_of(m)) and row.verdict is Verdict.PASSED]
    if not passed:
        undecided = {m.setting.artifact for m in usable if (row := report.parity_of(m)) and row.verdict is Verdict.UNDECIDED}
        few = f"; too few samples to decide on {', '.join(sorted(undecided))}" if undecided else ""
        return Recommendation("", "", f"Nothing to recommend: no measured artifact has passed parity{few}. Run: toolkit verify")
    fastest = min(passed, key=lambda m: m.latency_ns.value)
    level = [m for m in passed if m is fastest or _as_fast(m, fastest)]
    chosen = min(level, key=lambda m: (_distance(m), m.setting.threads, m.latency_ns.value))
    return Recommendation(chosen.setting.artifact, chosen.setting.engine, _reason(chosen, level, report), chosen)


def _as_fast(candidate: Measurement, fastest: Measurement) -> bool:
    comparison = compare(candidate, fastest)
    return comparison is not None and comparison.verdict in {Speed.NOT_DISTINGUISHABLE, Speed.TOO_FEW}


def _reason(chosen: Measurement, level: list[Measurement], report: BenchmarkReport) -> str:
    setting = chosen.setting
    threads = "1 thread" if setting.threads == 1 else f"{setting.threads} threads"
    parts = [f"{text.duration_interval(chosen.latency_ns)} at batch {setting.batch} with {threads}", _speed_up(chosen, report)]
    evidence = report.parity_of(chosen)
    if evidence and evidence.task:
        task = evidence.task
        parts.append(f"{task.name} {text.accuracy(task)}, a drop of {text.drop(task)} points on {task.samples} samples")
    else:
        parts.append("parity passed, no task metric")
    parts.append(text.size(chosen.size_bytes))
    line = f"Ship {setting.artifact} with {setting.engine}: {'; '.join(part for part in parts if part)}."
    others = [m for m in level if m is not chosen]
    if others:
        names = ", ".join(_name(m, beside=chosen) for m in others[:3])
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        rounds = "" if len(chosen.rounds) > 2 else " (too few rounds)"
        line += f" Its latency cannot be told apart from that of {names}{more}{rounds}; {_preference(chosen, others)}."
    return line


def _name(measurement: Measurement, *, beside: Measurement) -> str:
    setting = measurement.setting
    threads = f" (threads: {setting.threads})" if setting.threads != beside.setting.threads else ""
    return f"{setting.artifact} with {setting.engine}{threads}"


def _preference(chosen: Measurement, others: list[Measurement]) -> str:
    rivals = [m for m in others if _distance(m) == _distance(chosen)]
    if not rivals:
        return "it has the highest precision of them"
    if all(m.setting.threads > chosen.setting.threads for m in rivals):
        return "it needs the fewest threads of those with the highest precision"
    return "it has the lower median of those with the highest precision"


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
