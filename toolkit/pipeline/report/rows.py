"""A benchmark report as table rows of text, for the terminal and for the page alike."""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.core import Precision, artifact_name
from toolkit.core.measurement import BenchmarkReport, Measurement, ParityRow, Scenario, Speed, compare
from toolkit.formats import source_formats

from .. import text
from ..recommend import Recommendation, recommend

TOO_FEW = "too few"


@dataclass(frozen=True)
class Row:
    """One setting, formatted. ``ok`` is False for a failed one, whose ``note`` then says why; ``note`` of a good row is a warning.

    ``latency`` and ``throughput`` carry their intervals; ``ratio`` is the speed-up over fp32 in ONNX Runtime in the same setting.
    """

    artifact: str
    engine: str
    device: str
    scenario: Scenario
    threads: int
    batch: int
    streams: int
    latency: str
    p90: str
    p99: str
    throughput: str
    ratio: str
    speed: str
    parity: str
    parity_reason: str
    accuracy: str
    drop: str
    top1: str
    sqnr: str
    size: str
    memory: str
    load: str
    first_call: str
    note: str
    ok: bool
    recommended: bool


def table_rows(
    report: BenchmarkReport, *, scenario: Scenario | None = None, recommendation: Recommendation | None = None
) -> tuple[Row, ...]:
    """The rows of a report, by threads, batch and streams, the fastest first, failed ones last.

    Args:
        report: what was measured.
        scenario: only the rows of this one; None for all.
        recommendation: whose row is marked; None asks `recommend`.
    """
    chosen = recommendation or recommend(report)
    wanted = [m for m in report.measurements if scenario is None or m.setting.scenario is scenario]
    return tuple(_row(m, report, chosen) for m in sorted(wanted, key=_order))


@dataclass(frozen=True)
class Head:
    """What a report calls the metric of its rows.

    Args:
        name: ``accuracy``, ``word error rate``; ``metric`` where there is none, or several.
        higher_is_better: the direction.
        change: what being worse is: a drop or a rise.
        unit: of the change: ``points``, ``dB``; empty for the metric's own.
    """

    name: str = "metric"
    higher_is_better: bool = True
    change: str = "drop"
    unit: str = ""

    @property
    def text(self) -> str:
        """``word error rate, lower is better``."""
        return f"{self.name}, {'higher' if self.higher_is_better else 'lower'} is better"


def head_of(report: BenchmarkReport) -> Head:
    """What the metric of a report's rows is."""
    tasks = [row.task for row in map(report.parity_of, report.measurements) if row is not None and row.task is not None]
    found = {Head(task.name, task.higher_is_better, task.change, task.unit) for task in tasks}
    return found.pop() if len(found) == 1 else Head()


def _order(measurement: Measurement) -> tuple[object, ...]:
    setting = measurement.setting
    offline = setting.scenario is Scenario.OFFLINE
    speed = 0.0 if not measurement.ok else -measurement.samples_per_s.value if offline else measurement.latency_ns.value
    return (not measurement.ok, offline, setting.device, setting.threads, setting.batch, setting.streams, speed, setting.artifact)


def _row(measurement: Measurement, report: BenchmarkReport, chosen: Recommendation) -> Row:
    setting, ok = measurement.setting, measurement.ok
    evidence = report.parity_of(measurement)
    ratio, speed = _versus_baseline(measurement, report)
    task = evidence.task if evidence else None
    return Row(
        artifact=setting.artifact,
        engine=setting.engine or text.NONE,
        device=str(measurement.actual.get("device", setting.device)),
        scenario=setting.scenario,
        threads=setting.threads,
        batch=setting.batch,
        streams=setting.streams,
        latency=text.duration_interval(measurement.latency_ns) if ok else text.NONE,
        p90=_percentile(measurement, 0.9),
        p99=_percentile(measurement, 0.99),
        throughput=text.rate_interval(measurement.samples_per_s) if ok else text.NONE,
        ratio=ratio,
        speed=speed,
        parity=_parity(measurement, evidence),
        parity_reason=evidence.reason if evidence else "",
        accuracy=text.accuracy(task) if task else text.NONE,
        drop=text.drop(task) if task else text.NONE,
        top1=f"{evidence.top1:.2%}".replace("%", " %") if evidence and evidence.top1 is not None else text.NONE,
        sqnr=f"{evidence.sqnr_db:.1f} dB" if evidence and evidence.sqnr_db is not None else text.NONE,
        size=text.size(measurement.size_bytes) if measurement.size_bytes else text.NONE,
        memory=text.size(measurement.memory_bytes) if ok else text.NONE,
        load=text.duration(measurement.load_ns) if ok else text.NONE,
        first_call=text.duration(measurement.first_call_ns) if ok else text.NONE,
        note=_note(measurement, report),
        ok=ok,
        recommended=chosen.measurement is not None and chosen.measurement.setting == setting,
    )


def _versus_baseline(measurement: Measurement, report: BenchmarkReport) -> tuple[str, str]:
    baseline = report.baseline_of(measurement)
    if baseline is measurement:
        return "1.00×", "baseline"
    comparison = compare(measurement, baseline) if baseline else None
    if comparison is None:
        return text.NONE, text.NONE
    if comparison.verdict is Speed.TOO_FEW:
        return f"{comparison.ratio.value:.2f}×", comparison.verdict
    return text.ratio_interval(comparison.ratio), comparison.verdict


def _percentile(measurement: Measurement, share: float) -> str:
    if not measurement.ok:
        return text.NONE
    value = measurement.percentile_ns(share)
    return TOO_FEW if value is None else text.duration(value)


def _parity(measurement: Measurement, evidence: ParityRow | None) -> str:
    always = [each.format for each in source_formats() if each.start and each.start.always]
    if measurement.setting.artifact in {artifact_name(format, Precision.FP32) for format in always}:
        return "reference"
    return evidence.verdict.value if evidence and evidence.verdict else "not verified"


def _note(measurement: Measurement, report: BenchmarkReport) -> str:
    if measurement.reason:
        return measurement.reason
    notes = []
    setting = measurement.setting
    if report.is_oversubscribed(setting):
        notes.append(f"{setting.threads_per_stream * setting.streams} threads asked for, {report.machine.threads} available")
    got = measurement.actual.get("threads", 0)
    if got not in {0, setting.threads_per_stream}:
        notes.append(f"the engine used {got} threads")
    if len(measurement.rounds) < report.protocol.rounds:
        notes.append(f"{len(measurement.rounds)} of {report.protocol.rounds} rounds")
    return "; ".join(notes)
