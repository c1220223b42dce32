"""Reports of several devices on one page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.pipeline.reports import HOSTILE, Page, measured
from toolkit.core import InputError, Verdict, this_machine
from toolkit.core.measurement import BenchmarkReport, Measurement, ParityRow, Protocol, Setting
from toolkit.pipeline.report.devices import merge, write_devices


def a_report(cpu: str, *, threads: int, factor: float = 1.0, int8: Verdict = Verdict.PASSED) -> BenchmarkReport:
    rows = (
        measured("onnx-fp32", "onnxruntime", 100_000 * factor, threads=threads),
        measured("onnx-int8", "onnxruntime", 50_000 * factor, threads=threads),
    )
    parity = (
        ParityRow("sha-onnx-fp32", "onnxruntime", "cpu", Verdict.PASSED),
        ParityRow("sha-onnx-int8", "onnxruntime", "cpu", int8, "accuracy drop +9"),
    )
    machine = replace(this_machine(), cpu=cpu, threads=threads)
    return BenchmarkReport("net", machine, "2026-01-01T00:00:00+00:00", 0.1, 0.2, Protocol(), rows, parity)


def test_a_column_for_each_device() -> None:
    phone = a_report("Phone", threads=4, factor=10, int8=Verdict.FAILED)
    more = measured("tflite-int8", "litert", 20_000, threads=4)
    merged = merge([a_report("Laptop", threads=2), replace(phone, measurements=(*phone.measurements, more)), a_report("Laptop", threads=2)])
    assert merged.model == "net"
    assert [device.name for device in merged.devices] == ["Laptop, 2 threads", "Phone, 4 threads", "Laptop, 2 threads #2"]
    # All threads of one are other numbers of threads than all of the other, and the same row.
    assert [(line.artifact, line.engine, line.how) for line in merged.lines] == [
        ("onnx-int8", "onnxruntime", "cpu, batch 1, all threads"),
        ("onnx-fp32", "onnxruntime", "cpu, batch 1, all threads"),
        ("tflite-int8", "litert", "cpu, batch 1, all threads"),
    ]
    int8 = merged.lines[0].cells
    assert [row and row.parity for row in int8] == ["passed", "failed", "passed"]
    assert [row is None for row in merged.lines[2].cells] == [True, False, True]
    assert [device.chosen.artifact for device in merged.devices] == ["onnx-int8", "onnx-fp32", "onnx-int8"]


def test_what_no_engine_takes_stands_behind_what_was_measured() -> None:
    """It had a heading of one thread, which nobody had asked for, before all figures."""
    none = Measurement(Setting("openvino-bf16", "openvino-bf16", "sha", ""), reason="openvino has no bf16 here")
    report = a_report("Laptop", threads=2)
    merged = merge([replace(report, measurements=(none, *report.measurements))])
    assert [(how, [line.artifact for line in lines]) for how, lines in merged.groups] == [
        ("cpu, batch 1, all threads", ["onnx-int8", "onnx-fp32"]),
        ("not measured", ["openvino-bf16"]),
    ]


def test_reports_of_different_models_are_refused() -> None:
    with pytest.raises(InputError, match="got net, other"):
        merge([a_report("A", threads=1), replace(a_report("B", threads=1), model="other")])


def test_the_page_is_whole_and_safe(tmp_path: Path) -> None:
    hostile = a_report(HOSTILE, threads=1)
    broken = measured("tflite-fp16", "litert", 1, reason=f"crashed {HOSTILE}", threads=1)
    merged = merge([a_report("Laptop", threads=1, int8=Verdict.FAILED), replace(hostile, measurements=(*hostile.measurements, broken))])
    write_devices(merged, tmp_path / "page.html")
    html = (tmp_path / "page.html").read_text()
    page = Page(html)
    assert "<script" not in html
    rows = {row[0]: row for row in page.rows if row}
    assert len(rows["onnx-int8onnxruntime"]) == 3
    assert "failed: accuracy drop +9" in rows["onnx-int8onnxruntime"][1]
    assert "★" in rows["onnx-int8onnxruntime"][2]
    assert rows["tflite-fp16litert"][1:] == ["–", f"crashed {HOSTILE}"]
