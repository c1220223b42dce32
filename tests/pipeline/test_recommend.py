"""Which of the measured artifacts is the one to ship."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.pipeline.reports import a_report, among_equals, measured, parity
from toolkit.core import Verdict
from toolkit.core.measurement import Measurement
from toolkit.pipeline.recommend import Prefer, recommend
from toolkit.pipeline.report import table_rows


def test_the_fastest_that_passed_is_recommended() -> None:
    report = a_report(
        measured("onnx-fp32", "onnxruntime", 40_000.0),
        measured("tflite-int8", "litert", 10_000.0),
        measured("openvino-int8", "openvino", 20_000.0),
        evidence=(
            parity("onnx-fp32", "onnxruntime", drop=0.0),
            parity("tflite-int8", "litert", drop=3.0, verdict=Verdict.FAILED),
            parity("openvino-int8", "openvino"),
        ),
    )
    chosen = recommend(report)
    assert (chosen.artifact, chosen.engine) == ("openvino-int8", "openvino")
    row = next(row for row in table_rows(report) if row.recommended)
    for part in (row.latency, row.ratio, row.drop, row.size, "88.52 %", "batch 1 with 1 thread"):
        assert part in chosen.reason
    assert row.speed == "faster"
    assert chosen.note == ""


@pytest.mark.parametrize(
    ("prefer", "sizes", "artifact", "why"),
    [
        (Prefer.SIZE, {"int8": 100_000, "fp32": 400_000}, "tflite-int8", "it has the smallest file of them"),
        (Prefer.SIZE, {"int8": 100_000, "fp32": 101_000}, "tflite-fp32", "it has the highest precision of them"),
        (Prefer.PRECISION, {"int8": 100_000, "fp32": 400_000}, "tflite-fp32", "it has the highest precision of them"),
    ],
)
def test_what_decides_among_equals(prefer: Prefer, sizes: dict[str, int], artifact: str, why: str) -> None:
    chosen = recommend(among_equals(**sizes), prefer=prefer)
    other = "tflite-fp32" if artifact == "tflite-int8" else "tflite-int8"
    assert (chosen.artifact, chosen.note) == (artifact, f"Statistically tied with {other} with litert; {why}.")
    assert chosen.reason.endswith(f". {chosen.note}")


def test_among_equals_the_lowest_median_may_decide() -> None:
    report = among_equals(int8=100_000, fp32=400_000)
    chosen = recommend(report, prefer=Prefer.LATENCY)
    assert chosen.measurement is min(report.measurements, key=lambda m: m.latency_ns.value)
    assert chosen.note.endswith("; it has the lowest median of them.")


def test_after_one_round_only_what_is_near_is_tied() -> None:
    near = measured("onnx-int8", "onnxruntime", 40_000.0, rounds=1, spread=0)
    far = replace(measured("tflite-int8", "litert", 50_000.0, rounds=1, spread=0), size_bytes=1)
    report = a_report(near, far, evidence=(parity("onnx-int8", "onnxruntime"), parity("tflite-int8", "litert")))
    assert (recommend(report).artifact, recommend(report).note) == ("onnx-int8", "")


def test_among_equals_in_size_and_precision_fewer_threads_then_the_median_decide() -> None:
    one, two = (measured("onnx-fp32", "onnxruntime", ns, spread=s, threads=t) for t, ns, s in ((1, 10_050.0, 0.05), (2, 10_000.0, -0.05)))
    evidence = (parity("onnx-fp32", "onnxruntime"), parity("tflite-fp32", "litert"))
    chosen = recommend(a_report(one, two, evidence=evidence))
    assert chosen.measurement is one
    assert "(threads: 2); it needs the fewest threads of them" in chosen.reason
    other = measured("tflite-fp32", "litert", 10_000.0, spread=-0.05)
    chosen = recommend(a_report(one, other, evidence=evidence))
    assert chosen.measurement is min((one, other), key=lambda m: m.latency_ns.value)
    assert "lowest median of them" in chosen.reason


def test_among_equals_in_size_and_precision_the_engine_that_is_imported_sooner_decides() -> None:
    def of(engine: str, ns: float, import_s: float, **cell: Any) -> Measurement:
        made = measured("tflite-fp32", engine, ns, spread=-0.05 if engine == "litert" else 0.05, **cell)
        return replace(made, rounds=tuple(replace(each, import_ns=int(import_s * 1e9)) for each in made.rounds))

    evidence = (parity("tflite-fp32", "litert"), parity("tflite-fp32", "tensorflow"))
    light, heavy = of("litert", 10_050.0, 0.1, threads=2), of("tensorflow", 10_000.0, 6.0, threads=1)
    assert heavy.latency_ns.value < light.latency_ns.value
    chosen = recommend(a_report(light, heavy, evidence=evidence))
    assert chosen.engine == "litert", "though it is the slower one by its median, and has more threads"
    assert "; its engine is imported the soonest of them." in chosen.note
    chosen = recommend(a_report(light, of("tensorflow", 10_000.0, 0.3, threads=1), evidence=evidence))
    assert (chosen.engine, "fewest threads" in chosen.note) == ("tensorflow", True), "nobody feels a fifth of a second"


def test_nothing_is_recommended_where_too_few_samples_were_compared() -> None:
    rows = [measured(name, "onnxruntime", 40_000.0) for name in ("onnx-fp32", "onnx-int8")]
    for verdict, told in (
        (Verdict.UNDECIDED, "; too few samples to decide on onnx-int8. Run: toolkit verify"),
        (Verdict.FAILED, ". Run: toolkit verify"),
    ):
        evidence = (parity("onnx-fp32", "onnxruntime", verdict=Verdict.FAILED), parity("onnx-int8", "onnxruntime", verdict=verdict))
        found = recommend(a_report(*rows, evidence=evidence))
        assert (found.artifact, found.reason) == ("", f"Nothing to recommend: no measured artifact has passed parity{told}")


def test_the_recommendation_is_for_the_batch_and_threads_asked_for() -> None:
    cells = [(t, b) for t in (1, 2, 8) for b in (1, 32)]
    rows = [measured("onnx-fp32", "onnxruntime", 1e6 * b / t, threads=t, batch=b) for t, b in cells]
    report = a_report(*rows, evidence=(parity("onnx-fp32", "onnxruntime"),))

    def setting(*, threads: int | None = None, batch: int = 1) -> tuple[int, int]:
        found = recommend(report, threads=threads, batch=batch).measurement
        assert found is not None
        return found.setting.threads, found.setting.batch

    assert setting() == (2, 1), "eight threads are more than the machine has"
    assert setting(threads=1, batch=32) == (1, 32)
    assert setting(threads=8) == (8, 1), "asked for by name"
    assert setting(batch=7) == (2, 1)
    assert recommend(report, threads=5).artifact == ""


def test_two_rounds_say_that_they_are_too_few() -> None:
    report = a_report(
        measured("onnx-fp32", "onnxruntime", 4e4, rounds=2),
        measured("onnx-int8", "onnxruntime", 1e4, rounds=2),
        evidence=(parity("onnx-int8", "onnxruntime", task=False),),
    )
    reason = recommend(report).reason
    assert "from too few rounds to be sure" in reason
    assert "no task metric" in reason
