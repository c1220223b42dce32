"""One table over every backend: ``make backends`` writes docs/backends.md and docs/backends.json.

    python -m benchmarks.backends_report --bundles artifacts/train-all

Four trained networks, each in fp32 and int8 in every format that it reaches, in every engine that runs the format, and once more on each
device beside the processor: the toolkit's own convert, verify and benchmark. What cannot be made, run or measured is a row with its reason.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.by_model import ROOT, report
from benchmarks.optimize_report import NET, POSITIONS, command, positions
from toolkit.converters.base import Node
from toolkit.converters.planner import reachable
from toolkit.core import Bundle, Format, Interval, Precision, cache_home, load_average, this_machine
from toolkit.core.measurement import BENCHMARK, BenchmarkReport, Measurement, compare
from toolkit.models.alphago.games import Go
from toolkit.models.alphago.net import NetOptions, build_net, export_net
from toolkit.models.alphago.shipped import shipped_net
from toolkit.pipeline import text
from toolkit.runtimes import Runtime, all_runtimes, find_runtime, runtimes_for

MODELS = ("cnn", "lstm", "transformer", NET)
PRECISIONS = (Precision.FP32, Precision.INT8)
START = Node(Format.PT2, Precision.FP32)
BASE = "onnxruntime"
FEW = 500
"""Samples on a device beside the processor: one in software takes a hundred times as long."""


@dataclass(frozen=True)
class Row:
    """One network in one engine from one file; ``ratio`` is its latency over that of fp32 in ONNX Runtime on the same device, None where
    that was not measured, or with a ``gap``.
    """

    model: str
    engine: str
    artifact: str
    verdict: str
    evidence: str
    latency: Interval | None
    ratio: Interval | None
    memory_bytes: float
    size_bytes: int
    gap: str = ""


@dataclass(frozen=True)
class NetworkRows:
    """The rows of a network, the processor that they were measured on, and its load before them."""

    model: str
    processor: str
    load: float
    rows: tuple[Row, ...]


def go_net(out: Path) -> None:
    """The shipped net as a ``.pt2`` artifact: its file has no batch normalizations any more, so those of the module become the identity."""
    import onnx
    import torch

    folder = shipped_net(NET)
    options = NetOptions(**json.loads((folder / "options.json").read_text())["net"])
    game = Go(9, komi=7.0)
    net = build_net(game, options)
    weights = {
        t.name: torch.from_numpy(onnx.numpy_helper.to_array(t).copy())
        for t in onnx.load(folder / "onnx-fp32" / "model.onnx").graph.initializer
    }
    state = net.state_dict()
    for name in state:
        layer, _, kind = name.rpartition(".")
        stack, _, place = layer.rpartition(".")
        before = f"{stack}.0.weight"
        folded = place == "1" and f"{before}_bias" in weights
        if folded and kind == "bias":
            state[name] = weights[f"{before}_bias"]
        elif folded and kind in {"weight", "running_mean", "running_var"}:
            # The identity divides by sqrt(variance + epsilon).
            state[name] = torch.full_like(state[name], {"weight": 1.0, "running_mean": 0.0, "running_var": 1.0 - 1e-5}[kind])
        elif name in weights:
            state[name] = weights[name]
    net.load_state_dict(state)
    export_net(net.eval(), game=game, options=options, out=out)


def measured(name: str, bundles: Path, work: Path, engines: str) -> NetworkRows:
    """One network by the toolkit's own commands, in every engine or in those of `engines`."""
    chosen = [find_runtime(engine) for engine in engines.split(",")] if engines else [*all_runtimes()]
    asked = f"{BASE},{engines}" if engines else "all"
    source, cache = work / name / "pt2-fp32", work / "cache"
    cache.mkdir(exist_ok=True)
    if not (cache / "browser").exists():  # What 'toolkit doctor --install browser' has brought is no result that was kept.
        (cache / "browser").symlink_to(cache_home() / "browser")
    data: list[str] = []
    if name == NET:
        go_net(source)
        positions(work / "positions.npz", POSITIONS)
        data = ["--data", str(work / "positions.npz")]
    else:
        shutil.copytree(bundles / "fashion-mnist" / name / "pt2-fp32", source)
    load, machine = load_average(), this_machine()
    told = work / f"{name}.json"
    runnable = {format for runtime in (find_runtime(BASE), *chosen) for format in runtime.formats} - {START.format}
    targets = sorted({str(node.format) for node in nodes() if node.format in runnable})
    words = ["--to", ",".join(targets), "--precision", ",".join(PRECISIONS), "--json", str(told)]
    command(["convert", str(source), *words, *data], cache=cache)
    command(["verify", str(source.parent), "--engine", asked, *data], cache=cache)
    command(["benchmark", str(source.parent), "--engine", asked, "--threads", "1", *data], cache=cache)
    found = BenchmarkReport.load(source.parent / BENCHMARK)
    reasons = {row["target"]: row["reason"] for row in json.loads(told.read_text())}
    bundle = Bundle.load(source.parent)
    rows = [*rows_of(name, chosen, found, bundle, reasons)]
    made = {artifact.manifest.format for artifact in bundle}
    for runtime in (runtime for runtime in chosen if runtime.is_installed() and runtime.formats & made):
        for device in sorted({*runtime.devices()} - {"cpu"}):
            words = ["--engine", runtime.name, "--device", device, *data]
            try:
                command(["verify", str(source.parent), "--evaluation", str(FEW), *words], cache=cache)
                command(["benchmark", str(source.parent), "--threads", "1", "--rounds", "2", *words], cache=cache)
            except SystemExit as stopped:  # A driver that crashes is this row's reason, not the end of the table.
                rows.append(gap_on_device(name, runtime, device, str(stopped).rpartition("error: ")[2].strip()))
            else:
                rows += rows_on_device(name, runtime, BenchmarkReport.load(source.parent / BENCHMARK))
    rows += absent(name, chosen)
    processor = f"{machine.cpu} with {', '.join(machine.instruction_sets)}"
    return NetworkRows(name, processor, load, tuple(replace(row, gap=row.gap.replace(f"{work}/", "")) for row in rows))


def rows_on_device(model: str, runtime: Runtime, report: BenchmarkReport) -> Iterator[Row]:
    """A row for each file that was measured on a device beside the processor, with the device's own name."""
    for found in report.measurements:
        node = next((node for node in nodes() if str(node) == found.setting.artifact), None)
        # Only fp32: so few samples do not show a point of accuracy.
        if node is not None and node.precision is Precision.FP32 and found.setting.engine == runtime.name:
            row = row_of(model, node, runtime, found, report, reason="")
            told = [str(found.actual.get("detail", "")), row.evidence]
            yield replace(row, engine=f"{row.engine}, {found.setting.device}", evidence="; ".join(filter(None, told)))


def absent(model: str, engines: Sequence[Runtime]) -> Iterator[Row]:
    """A row for each device that an engine could use and does not find here, with what would bring it."""
    for runtime in (runtime for runtime in engines if runtime.is_installed()):
        for device in sorted({*runtime.repairs} - {*runtime.devices()}):
            yield gap_on_device(model, runtime, device, f"no {device} that it can use here; {runtime.repairs[device]}")


def gap_on_device(model: str, runtime: Runtime, device: str, gap: str) -> Row:
    """The row of a device where nothing was measured."""
    return Row(model, f"{runtime.name}, {device}", "–", "–", "", None, None, 0, 0, gap)


def nodes() -> list[Node]:
    """The trained file, and every fp32 and int8 file that can be made of it."""
    made = [node for node in reachable(START) if node.precision in PRECISIONS and node != START and not node.variant]
    return [START, *sorted(made, key=lambda node: (node.format, PRECISIONS.index(node.precision)))]


def rows_of(model: str, engines: Sequence[Runtime], report: BenchmarkReport, bundle: Bundle, reasons: dict[str, Any]) -> Iterator[Row]:
    """A row for each file in each engine for its format."""
    made = {artifact.name: artifact.size_bytes for artifact in bundle}
    for node in nodes():
        name = str(node)
        for runtime in (runtime for runtime in engines if node.format in runtime.formats):
            found = next((m for m in report.measurements if (m.setting.artifact, m.setting.engine) == (name, runtime.name)), None)
            row = row_of(model, node, runtime, found, report, reason="" if name in made else reasons.get(name, ""))
            yield replace(row, size_bytes=made.get(name, 0))


def row_of(model: str, node: Node, runtime: Runtime, found: Measurement | None, report: BenchmarkReport, *, reason: str) -> Row:
    """One cell of the table, with what stands in its way."""
    gap = reason
    if not gap and not runtime.is_installed():
        repair = runtime.install_command()
        gap = runtime.missing() + (f"; run: {repair}" if repair else "; made, and its graph is checked")
    elif not gap and node.precision not in runtime.precisions(node.format):
        gap = f"the engine has no {node.precision}"
    elif not gap and (found is None or not found.ok):
        gap = found.reason if found else "not measured"
    if gap or found is None:
        return Row(model, runtime.name, str(node), "–", "", None, None, 0, 0, gap)
    evidence, base = report.parity_of(found), report.baseline_of(found)
    trained = node == START and runtime is runtimes_for(node.format)[0]
    comparison = compare(base, found) if base else None
    return Row(
        model,
        runtime.name,
        str(node),
        "reference" if trained else str(evidence.verdict or "not verified") if evidence else "not verified",
        "" if trained or evidence is None else evidence.reason,
        found.latency_ns,
        comparison.ratio if comparison else None,
        found.memory_bytes,
        found.size_bytes,
    )


def joined(old: NetworkRows, new: NetworkRows) -> NetworkRows:
    """What is stored of a network with the rows that were measured again, or for the first time, on the same processor."""
    if old.processor != new.processor:
        return new
    names, again = [str(node) for node in nodes()], {row.engine for row in new.rows}

    def place(row: Row) -> tuple[bool, int, str]:
        return ", " in row.engine, names.index(row.artifact) if row.artifact in names else len(names), row.engine

    rows = {(row.engine, row.artifact): row for row in old.rows if row.engine not in again}
    rows |= {(row.engine, row.artifact): row for row in new.rows}
    return replace(old, rows=tuple(sorted(rows.values(), key=place)))


def saturates(run: NetworkRows, row: Row) -> bool:
    """Whether the row failed where OpenVINO's int8 kernels are not exact."""
    return row.verdict == "failed" and row.engine == "openvino" and row.artifact == "onnx-int8" and "vnni" not in run.processor


def page(runs: Sequence[NetworkRows]) -> str:
    """The table."""
    lines = [
        "# Every backend",
        "",
        "Made by `make backends`; never edited by hand. Raw values: docs/backends.json.",
        "",
        "One thread, batch 1, 5 rounds in fresh processes. The ratio is the latency over that of fp32 in ONNX Runtime, below 1 is faster,",
        "with its 95 % interval over rounds; both are of one run, which may be another than the next row's (`--engines`).",
        "Memory is the peak above the bare engine's. A row without figures has its reason.",
        f"On a gpu: {FEW} samples, 2 rounds, no ratio, since the base runs on the processor; where the row says software, its speed",
        "says nothing.",
        "",
        "| network | engine | file | parity | latency | ratio | memory | size | |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for run in runs:
        for row in run.rows:
            note = (row.gap or row.evidence).replace("|", "\\|")
            figures = ["–", "–", "–", text.size(row.size_bytes) if row.size_bytes else "–"]
            if row.latency is not None:
                ratio = "–" if row.ratio is None else f"{row.ratio.value:.2f} [{row.ratio.low:.2f}, {row.ratio.high:.2f}]"
                figures = [text.duration(row.latency.value), ratio, text.size(row.memory_bytes) if row.memory_bytes else "–", figures[3]]
            lines.append(f"| {row.model} | {row.engine} | {row.artifact} | {row.verdict} | {' | '.join(figures)} | {note} |")
    lines += ["", *(f"- {run.model}: {run.processor}; load average before it: {run.load:.1f}." for run in runs)]
    if any(saturates(run, row) for run in runs for row in run.rows):
        lines += ["", "Where onnx-int8 failed in OpenVINO: without VNNI its kernels let sums of two products saturate; a file made with"]
        lines += ["`--recipe int8-reduce-range` avoids that ([design.md](design.md))."]
    return "\n".join([*lines, ""])


def main() -> None:
    """Measure, and write the page after each network."""
    options = {"engines": "only these; the rows of the others stay as they are, if they are of this processor"}
    report(__doc__, NetworkRows, measured, page, models=MODELS, out=ROOT / "docs" / "backends.md", options=options, join=joined)


if __name__ == "__main__":
    main()
