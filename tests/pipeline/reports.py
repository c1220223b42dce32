"""Reports of benchmarks that were never run, and a reader of their pages."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

from toolkit.core import TaskMetric, Verdict, this_machine
from toolkit.core.measurement import BenchmarkReport, Measurement, ParityRow, Protocol, Round, Scenario, Setting

HOSTILE = "<script>alert(1)</script>"


VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """Checks that tags close in order, and collects what the tests ask about."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(html)
        self.close()
        assert self.open == [], "every tag is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)
        if self.open[-1:] and self.rows and ("td" in self.open or "th" in self.open):
            self.rows[-1][-1] += data


def measured(
    artifact: str, engine: str, base_ns: float, *, spread: float = 0.01, rounds: int = 5, reason: str = "", **cell: Any
) -> Measurement:
    setting = replace(Setting(artifact, artifact, f"sha-{artifact}", engine), **cell)
    drift = [1.0, 1.3, 0.8, 1.1, 0.9]  # the same for all: what a machine's mood does to a round
    values = [base_ns * drift[i] * (1 + spread * ((i * 7 + len(artifact)) % 5 - 2)) for i in range(rounds)]
    found = tuple(
        Round(
            index=i,
            order=i,
            calls=300,
            stride=1,
            latency_ns=(int(v),) * 300,
            median_ns=v,
            mean_ns=v,
            p90_ns=v,
            p99_ns=v,
            min_ns=int(v),
            samples_per_s=setting.batch * 1e9 / v,
            warmup_calls=10,
            warmup_ns=1,
            import_ns=1,
            load_ns=4_000_000,
            first_call_ns=300_000,
            memory_bytes=5 << 20,
            bare_memory_bytes=1,
        )
        for i, v in enumerate(values)
    )
    return Measurement(setting, found, 400_000, {"device": setting.device, "threads": setting.threads_per_stream}, reason)


def parity(artifact: str, engine: str, *, drop: float = 0.1, verdict: Verdict = Verdict.PASSED, task: bool = True) -> ParityRow:
    metric = TaskMetric("accuracy", 10000, 0.8862, 0.8862 - drop / 100, drop, drop - 0.2, drop + 0.2, 5)
    return ParityRow(f"sha-{artifact}", engine, "cpu", verdict, f"why {artifact}", metric if task else None, 0.998, 42.0)


def a_report(*measurements: Measurement, evidence: tuple[ParityRow, ...] = (), model: str = "cnn") -> BenchmarkReport:
    machine = replace(this_machine(), threads=2)
    return BenchmarkReport(model, machine, "2026-01-01T00:00:00+00:00", 0.5, 0.6, Protocol(), measurements, evidence, "digits", "ab" * 32)


def many() -> BenchmarkReport:
    """Seventy-five settings over five cells, with failures and hostile names."""
    names = [
        (f"{f}-{p}", e)
        for f, e in (("onnx", "onnxruntime"), ("openvino", "openvino"), ("tflite", "litert"))
        for p in ("fp32", "fp16", "int8")
    ]
    names += [("openvino-bf16", "openvino"), ("onnx-int8-dynamic", "onnxruntime"), ("onnx-int8-weights", "onnxruntime")]
    names += [("onnx-int4-weights", "onnxruntime"), ("tflite-int16x8", "litert"), ("onnx-int8-entropy", "onnxruntime")]
    cells: list[dict[str, Any]] = [{"threads": t, "batch": b} for t in (1, 2) for b in (1, 32)]
    cells.append({"threads": 2, "batch": 32, "streams": 2, "scenario": Scenario.OFFLINE})
    rows = [measured(n, e, 10_000.0 * (k + 1), **cell) for cell in cells for k, (n, e) in enumerate(names)]
    rows[7] = replace(rows[7], reason=f"crashed {HOSTILE}")
    evidence = [parity(n, e, drop=0.1 * k) for k, (n, e) in enumerate(names)]
    evidence[5] = replace(evidence[5], verdict=Verdict.FAILED, reason=HOSTILE)
    return a_report(
        *rows, Measurement(Setting("x", "pt2-fp32", "s", ""), reason="torch not installed"), evidence=tuple(evidence), model=HOSTILE
    )


def single() -> BenchmarkReport:
    return a_report(measured("onnx-fp32", "onnxruntime", 40_000.0), evidence=(parity("onnx-fp32", "onnxruntime", drop=0.0),))


def among_equals(**sizes: int) -> BenchmarkReport:
    """Two that cannot be told apart, and a third that is slower; sizes in bytes by precision."""
    int8, fp32 = measured("tflite-int8", "litert", 10_000.0, spread=0.05), measured("tflite-fp32", "litert", 10_050.0, spread=-0.05)
    return a_report(
        replace(int8, size_bytes=sizes["int8"]),
        replace(fp32, size_bytes=sizes["fp32"]),
        measured("onnx-fp32", "onnxruntime", 40_000.0),
        evidence=(parity("tflite-int8", "litert"), parity("tflite-fp32", "litert"), parity("onnx-fp32", "onnxruntime")),
    )
