"""One architecture through the whole road: its row of the table."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.coverage_table.architectures import Architecture
from toolkit.converters.base import Node
from toolkit.converters.planner import reachable
from toolkit.core import Artifact, Format, Precision, Samples, ToolkitError, UnknownNameError, run_isolated
from toolkit.pipeline.convert import Request, Row, convert
from toolkit.pipeline.source.resolve import resolve_source
from toolkit.pipeline.source.samples import Split

ROOT = Path(__file__).resolve().parents[2]
FORMATS = ("onnx", "openvino", "tflite")
PRECISIONS = (Precision.FP32, Precision.INT8)
BATCHES = (1, 2, 3, 7)
_TASKS = f"{__package__}.tasks"
_ENVIRONMENT = {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONWARNINGS": "ignore"}
_SAME = {("pt2", "onnx"), ("pt2", "tflite")}
_RAW_S, _MAKE_S, _EDGE_S = 600.0, 240.0, 600.0


@dataclass(frozen=True)
class Cell:
    """What became of one target: ``state`` is passed, undecided, failed, missing (no edge leads there) or source (it is the source).

    ``raw`` is why the raw exporter does not reach it, empty when it does, None where it was not asked. ``batches`` were compared with the
    source's own outputs. ``agreement`` is the share of ``choices`` that are equal to fp32's.
    """

    target: str
    state: str
    reason: str = ""
    raw: str | None = None
    batches: tuple[int, ...] = ()
    agreement: float | None = None
    choices: int = 0


@dataclass(frozen=True)
class Result:
    """A row of the table; ``problem`` is why there is no source, and then there are no cells."""

    name: str
    source: str
    note: str
    cells: tuple[Cell, ...] = ()
    problem: str = ""
    signature: str = ""
    seconds: float = 0.0


def measure(architecture: Architecture, logs: Path) -> Result:
    """Make, import, convert, verify, compare; nothing that fails stops the rest."""
    start = time.perf_counter()
    row = Result(architecture.name, architecture.source, architecture.note)
    try:
        Format.parse(architecture.source)
    except UnknownNameError:
        return replace(row, problem="no such source")
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{architecture.source}-{architecture.name}.log"
    log.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="toolkit-coverage-") as name:
        folder = Path(name)
        try:
            payload = {"name": architecture.name, "folder": name}
            file = Path(run_isolated(f"{_TASKS}:make_task", payload, timeout_s=_MAKE_S, log=log, environment=_ENVIRONMENT))
            source = resolve_source(str(file), out=folder / "bundles").place()
        except ToolkitError as error:
            return replace(row, problem=without_folders(str(error)), seconds=time.perf_counter() - start)
        cells = tuple(
            replace(cell, reason=without_folders(cell.reason), raw=cell.raw and without_folders(cell.raw))
            for cell in _cells(architecture, file, source, log)
        )
    return replace(row, cells=cells, signature=str(source.manifest.signature), seconds=time.perf_counter() - start)


def without_folders(text: str) -> str:
    """What an engine says of files, without the folders of this machine, which are nobody's business."""
    return re.sub(r"[^\s'\"(]*/(?:bundles|site-packages|toolkit-coverage-[^/\s]+)/", "", text)


def _cells(architecture: Architecture, file: Path, source: Artifact, log: Path) -> tuple[Cell, ...]:
    samples = Samples.load(file.with_name("samples.npz"))
    count = architecture.size.calibration
    split = Split(samples.rows(slice(count)), samples.rows(slice(count, None)))
    split.evaluation.save(file.with_name("evaluation.npz"))
    start = Node(source.manifest.format, source.manifest.precision)
    wanted = [Node(Format.parse(format), precision) for format in FORMATS for precision in PRECISIONS]
    known = reachable(start)
    targets = tuple(node for node in wanted if node in known)
    rows = {row.target: row for row in convert(Request(source, targets, source.path.parent, split, batch_sizes=(1, 4), timeout_s=_EDGE_S))}
    shutil.rmtree(source.path.parent / "logs", ignore_errors=True)
    exact = [node for node in wanted if node.precision is Precision.FP32 and node != start]
    # A converter that passed and is a call of the raw exporter on the program as it is has shown that this one reaches.
    passed = [node for node in exact if (architecture.source, str(node.format)) in _SAME and node in targets and rows[str(node)].passed]
    raw = _raw(file, [str(node.format) for node in exact], [str(node.format) for node in passed], log)
    made = [
        str(row.artifact.path) for row in rows.values() if row.artifact is not None and row.artifact.manifest.precision is Precision.INT8
    ]
    agreement = _agreement(file, source, made, log)
    cells = []
    for node in wanted:
        reached = raw.get(str(node.format)) if node.precision is Precision.FP32 else None
        if node == start:
            cells.append(Cell(str(node), "source"))
        elif node in targets:
            cells.append(_cell(rows[str(node)], reached, agreement))
        else:
            cells.append(Cell(str(node), "missing", "no such edge", reached))
    return tuple(cells)


def _raw(file: Path, formats: list[str], passed: list[str], log: Path) -> dict[str, str]:
    """The reason of each format; when the process for all of them crashes, each has one of its own."""
    payload = {"source": str(file), "targets": formats, "passed": passed, "samples": str(file.with_name("samples.npz"))}
    try:
        found: dict[str, str] = run_isolated(f"{_TASKS}:raw_task", payload, timeout_s=_RAW_S, log=log, environment=_ENVIRONMENT)
    except ToolkitError as error:
        if len(formats) == 1:
            return {formats[0]: str(error)}
        return {format: reason for each in formats for format, reason in _raw(file, [each], passed, log).items()}
    return found


def _agreement(file: Path, source: Artifact, candidates: list[str], log: Path) -> dict[str, tuple[float, int]]:
    payload = {"reference": str(source.path), "candidates": candidates, "samples": str(file.with_name("evaluation.npz"))}
    try:
        found = run_isolated(f"{_TASKS}:agreement_task", payload, timeout_s=_EDGE_S, log=log, environment=_ENVIRONMENT)
    except ToolkitError:
        return {}  # What the engines refuse, the parity of the cell says.
    return {candidate: (share, int(choices)) for candidate, (share, choices) in found.items()}


def _cell(row: Row, raw: str | None, agreement: dict[str, tuple[float, int]]) -> Cell:
    if row.artifact is None:
        return Cell(row.target, "failed", row.reason, raw)
    evidence = row.artifact.manifest.evidence
    worst = max(evidence, key=lambda report: report.verdict.severity, default=None)
    if worst is None:
        return Cell(row.target, "failed", row.reason, raw)
    share, choices = agreement.get(str(row.artifact.path), (0.0, 0))
    return Cell(row.target, str(worst.verdict), worst.reason, raw, worst.batch_sizes, share if choices else None, choices)
