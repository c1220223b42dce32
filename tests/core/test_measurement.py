from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from toolkit.core import InputError, Precision, this_machine
from toolkit.core.measurement import BenchmarkReport, Measurement, ParityRow, Protocol, Round, Scenario, Setting, Speed, compare

SETTING = Setting("onnx-fp32", "onnx-fp32", "abc", "onnxruntime")


def a_round(index: int, median_ns: float, *, samples: tuple[int, ...] = (1, 2, 3), stride: int = 1, rate: float = 0.0) -> Round:
    return Round(
        index=index,
        order=index,
        calls=len(samples) * stride,
        stride=stride,
        latency_ns=samples,
        median_ns=median_ns,
        mean_ns=median_ns,
        p90_ns=median_ns,
        p99_ns=median_ns,
        min_ns=1,
        samples_per_s=rate or 1e9 / median_ns,
        warmup_calls=10,
        warmup_ns=100,
        import_ns=7 + index,
        load_ns=100 + index,
        first_call_ns=200 + index,
        memory_bytes=300 + index,
        bare_memory_bytes=1000,
    )


def measured(*medians: float, setting: Setting = SETTING, first: int = 0) -> Measurement:
    return Measurement(setting, tuple(a_round(first + i, m) for i, m in enumerate(medians)), size_bytes=10, actual={"device": "cpu"})


def a_report(*measurements: Measurement, parity: tuple[ParityRow, ...] = ()) -> BenchmarkReport:
    return BenchmarkReport("cnn", this_machine(), "2026-01-01T00:00:00+00:00", 0.5, 0.6, Protocol(), measurements, parity)


def test_statistics_are_medians_over_the_rounds() -> None:
    measurement = measured(100.0, 130.0, 110.0)
    assert measurement.ok
    assert measurement.latency_ns.value == 110
    assert measurement.latency_ns.low >= 100
    assert measurement.latency_ns.high <= 130
    assert (measurement.import_ns, measurement.load_ns, measurement.first_call_ns, measurement.memory_bytes) == (8, 101, 201, 301)


def test_a_report_read_back_gives_the_same_numbers() -> None:
    report = a_report(
        measured(100.0, 130.0, 110.0), replace(measured(1.0), reason="crashed"), parity=(ParityRow("abc", "onnxruntime", "cpu"),)
    )
    before = report.measurements[0].latency_ns  # a derived value must not find its way into the file
    again = BenchmarkReport.from_json(report.to_json())
    assert again == report
    assert again.measurements[0].latency_ns == before
    assert b"cached" not in report.to_json()
    assert b'"low"' not in report.to_json()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "no benchmark report"),
        (b"{}", "no benchmark report"),
        (b'{"schema": 99}', "expected 1, got 99"),
        (b'{"schema": 1}', "missing"),
    ],
)
def test_a_file_that_is_no_report_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        BenchmarkReport.from_json(content)


def test_a_missing_report_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="toolkit benchmark"):
        BenchmarkReport.load(tmp_path / "benchmark.json")


@pytest.mark.parametrize(("share", "needed"), [(0.5, 20), (0.9, 100), (0.99, 1000)])
def test_a_percentile_needs_enough_samples(share: float, needed: int) -> None:
    def of(count: int) -> float | None:
        return Measurement(SETTING, (a_round(0, 1.0, samples=tuple(range(count))),)).percentile_ns(share)

    assert of(needed - 1) is None
    assert of(needed) == pytest.approx(np.quantile(np.arange(needed), share))


def test_a_percentile_weighs_thinned_rounds_by_their_stride() -> None:
    thin = a_round(0, 1.0, samples=(10,) * 50, stride=9)
    dense = a_round(1, 1.0, samples=(1000,) * 50)
    assert Measurement(SETTING, (thin, dense)).percentile_ns(0.85) == 10


@pytest.mark.parametrize(
    ("candidate", "verdict"),
    [
        ((50.0, 60.0, 40.0, 52.0), Speed.FASTER),
        ((200.0, 240.0, 160.0, 208.0), Speed.SLOWER),
        ((101.0, 118.0, 81.0, 103.0), Speed.NOT_DISTINGUISHABLE),
        ((50.0, 60.0), Speed.TOO_FEW),
    ],
)
def test_verdict(candidate: tuple[float, ...], verdict: Speed) -> None:
    comparison = compare(measured(*candidate), measured(100.0, 120.0, 80.0, 104.0))
    assert comparison is not None
    assert comparison.verdict is verdict


def test_the_ratio_is_paired_by_round() -> None:
    # The machine slows down eightfold from round to round; the ratio within each round is exactly two.
    comparison = compare(measured(50.0, 400.0, 3200.0), measured(100.0, 800.0, 6400.0))
    assert comparison is not None
    assert (comparison.ratio.low, comparison.ratio.value, comparison.ratio.high) == pytest.approx((2, 2, 2))
    assert compare(measured(1.0, 2.0, first=0), measured(1.0, 2.0, first=2)) is None


def test_throughput_is_compared_by_samples_per_second() -> None:
    offline = replace(SETTING, scenario=Scenario.OFFLINE)
    fast = Measurement(offline, tuple(a_round(i, 100.0, rate=3000.0) for i in range(3)))
    slow = Measurement(offline, tuple(a_round(i, 100.0, rate=1000.0) for i in range(3)))
    comparison = compare(fast, slow)
    assert comparison is not None
    assert comparison.ratio.value == pytest.approx(3)
    assert comparison.verdict is Speed.FASTER


def test_a_failed_measurement_is_not_compared() -> None:
    good = measured(1.0, 2.0, 3.0)
    failed = replace(good, reason="crashed")
    assert not failed.ok
    assert compare(failed, good) is None
    assert compare(good, failed) is None


def test_the_baseline_has_the_same_setting() -> None:
    baseline, other_threads = measured(1.0), measured(1.0, setting=replace(SETTING, threads=2))
    candidate = measured(2.0, setting=replace(SETTING, artifact="onnx-int8", threads=2))
    report = a_report(baseline, other_threads, candidate)
    assert report.baseline_of(candidate) is other_threads
    assert a_report(baseline, candidate).baseline_of(candidate) is None


def test_parity_counts_for_the_engine_and_device_that_it_names() -> None:
    row = ParityRow("abc", "onnxruntime", "cpu")
    report = a_report(parity=(row,))
    assert report.parity_of(measured(1.0, setting=replace(SETTING, device="auto"))) is row
    assert report.parity_of(measured(1.0, setting=replace(SETTING, engine="openvino"))) is None
    assert report.parity_of(measured(1.0, setting=replace(SETTING, content_sha256="other"))) is None


def test_more_threads_than_the_machine_has_are_flagged() -> None:
    report = a_report()
    here = report.machine.threads
    assert not report.is_oversubscribed(replace(SETTING, threads=here))
    assert report.is_oversubscribed(replace(SETTING, threads=here + 1))
    assert report.is_oversubscribed(replace(SETTING, threads=1, streams=here + 1))


def test_threads_are_divided_among_streams() -> None:
    assert replace(SETTING, threads=4, streams=2).threads_per_stream == 2
    assert replace(SETTING, threads=1, streams=2).threads_per_stream == 1
    assert replace(SETTING, artifact="tflite-int8-dynamic").precision is Precision.INT8_DYNAMIC


@pytest.mark.parametrize("wrong", [{"rounds": 0}, {"min_calls": 0}, {"inputs": 0}, {"min_seconds": -1.0}, {"warmup_seconds": float("nan")}])
def test_an_impossible_protocol_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        Protocol(**wrong)  # type: ignore[arg-type]
