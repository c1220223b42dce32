"""Every trained bundle in a folder as every kind of artifact: ``make matrix`` writes docs/models.md and models/results.json from it.

    python benchmarks/models_report.py --bundles artifacts/train-all

Each bundle is converted, verified and benchmarked by the toolkit's own commands; a bundle that was measured before is not measured
again unless it has changed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from toolkit.core import Artifact, ParityReport, Verdict, load_average, this_machine, write_file
from toolkit.core.measurement import BENCHMARK, BenchmarkReport
from toolkit.models import all_models, find_model
from toolkit.models.data import find_data
from toolkit.models.results import FILE, Cell, ModelResult, figure
from toolkit.models.training.size import size_of

ROOT = Path(__file__).resolve().parents[1]
FORMATS = ("onnx", "openvino", "tflite")
PRECISIONS = ("fp32", "fp16", "int8", "int8-dynamic", "int8-weights")
_ROWS = "rows.json"
_DONE = "measured.txt"


def toolkit(*words: str) -> int:
    """Run a command of the toolkit; it may end with 1, a target that failed."""
    return subprocess.run([sys.executable, "-m", "toolkit", *words], cwd=ROOT, check=False).returncode


def bundles(folder: Path) -> Iterator[Path]:
    """Every trained bundle below a folder; parts of models come last."""
    names = {model.name for model in all_models()}
    yield from sorted((p.parent for p in folder.glob("**/pt2-fp32") if p.is_dir()), key=lambda p: (p.name not in names, p))


def measure(bundle: Path) -> None:
    """Convert, verify and benchmark, unless that was done with the same weights."""
    root = Artifact.load(bundle / "pt2-fp32").manifest.content_sha256
    done = bundle / _DONE
    if done.is_file() and done.read_text() == root:
        return
    rows = bundle / _ROWS
    code = toolkit("convert", str(bundle), "--to", ",".join(FORMATS), "--precision", ",".join(PRECISIONS), "--json", str(rows))
    if code not in {0, 1}:
        sys.exit(f"{bundle}: toolkit convert ended with {code}")
    toolkit("benchmark", str(bundle), "--threads", "1", "--batch", "1", "--rounds", "3", "--seconds", "0.2")
    write_file(done, root)


def result(bundle: Path) -> ModelResult:
    """What is known of a measured bundle."""
    trained = Artifact.load(bundle / "pt2-fp32")
    manifest = trained.manifest
    recipe = manifest.recipe
    model = next((m for m in all_models() if m.name == manifest.model), None)
    part = model is None
    owner = model or find_model(max((m.name for m in all_models() if manifest.model.startswith(f"{m.name}-")), key=len))
    data = find_data(manifest.data)
    ships = {f"{owner.name}-{s.part}" if s.part else owner.name: s for s in owner.exports(owner.module(data), data)}
    size = size_of(ships[manifest.model].module, manifest.signature)
    metric = owner.metric
    quality = None if part else float(recipe[f"test {metric}"])
    metrics = [json.loads(line) for line in (bundle / "training" / "metrics.jsonl").read_text().splitlines()] if not part else []
    notes = [f"{name.removeprefix('test ')} {float(value):.4f}" for name, value in recipe.items() if name.startswith("test ")][1:]
    if recipe.get("hold_out"):
        notes.append(f"without {recipe['hold_out']}")
    report = BenchmarkReport.load(bundle / BENCHMARK)
    asked = [f"{format}-{precision}" for format in FORMATS for precision in PRECISIONS]
    rows = {row["target"]: row for row in json.loads((bundle / _ROWS).read_text())}
    return ModelResult(
        model=manifest.model,
        data=manifest.data,
        metric=metric,
        quality=quality,
        samples=len(data.load("test")),
        parameters=size.parameters,
        multiply_adds=size.multiply_adds,
        epochs=len(metrics),
        seconds=sum(line["seconds"] for line in metrics),
        cells=tuple(cell(bundle / name, rows[name], report) for name in asked if rows[name]["available"]),
        notes="; ".join(notes),
    )


def cell(folder: Path, row: dict[str, object], report: BenchmarkReport) -> Cell:
    """One artifact, or the reason why there is none."""
    if not folder.is_dir():
        return Cell(folder.name, "missing", str(row["reason"]))
    artifact = Artifact.load(folder)
    evidence = artifact.manifest.evidence
    worst = max(evidence, key=lambda report: report.verdict.severity, default=None)
    found = next((m for m in report.measurements if m.setting.artifact == folder.name and m.ok), None)
    latency = found.latency_ns if found else None
    return Cell(
        folder.name,
        worst.verdict if worst else "failed",
        worst.reason if worst else str(row["reason"]),
        _quality(evidence),
        artifact.size_bytes,
        *((latency.value, latency.low, latency.high) if latency else (None, None, None)),
    )


def _quality(evidence: Sequence[ParityReport]) -> float | None:
    return next((r.task.candidate for r in evidence if r.task is not None and r.task.name == "accuracy"), None)


def markdown(results: Sequence[ModelResult], before: float) -> str:
    """The matrix: a line a model and format, a column a precision."""
    machine = this_machine()
    failed = [(r, c) for r in results for c in r.cells if c.verdict != Verdict.PASSED]
    lines = [
        "# The reference models",
        "",
        "Made by `make matrix` from what `make train-all` has trained; never edited by hand. Raw values: models/results.json.",
        "",
        f"{machine.cpu}, {machine.threads} threads; load average {before:.1f} before, {load_average():.1f} after.",
        "",
        "## Quality",
        "",
        "| model | data | parameters | multiply-adds | epochs | training | quality on test data |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for r in results:
        name = "" if r.metric == "accuracy" else f"{r.metric} "
        quality = "" if r.quality is None else f"{name}{figure(r.metric, r.quality)}, n={r.samples:,}" + (f"; {r.notes}" if r.notes else "")
        took = f"{r.seconds:.0f} s" if r.epochs else ""
        lines.append(f"| {r.model} | {r.data} | {r.parameters:,} | {r.multiply_adds:,} | {r.epochs or ''} | {took} | {quality} |")
    lines += [
        "",
        "## Formats and precisions",
        "",
        "✓ parity passed, ? undecided with these samples, ✗ failed or not made; what is not passed is explained below. Then the",
        "accuracy where there are classes, the median of a call with one sample on one thread with its 95 % interval, and the size. –: the",
        "format has no such precision. Parity is of every output on batches of 1, 2, 3, 7 and 32 and on the test split, against the",
        "trained network: a batch is free everywhere.",
        "",
        f"| model | format | {' | '.join(PRECISIONS)} |",
        f"| --- | --- |{' --- |' * len(PRECISIONS)}",
    ]
    for r in results:
        for format in FORMATS:
            cells = {c.artifact: c for c in r.cells}
            words = [_words(cells.get(f"{format}-{precision}")) for precision in PRECISIONS]
            lines.append(f"| {r.model}, {r.data} | {format} | {' | '.join(words)} |")
    lines += ["", "## What did not pass", ""]
    lines += [f"- {r.model}, {r.data}, {c.artifact}: {c.verdict}, {c.reason}" for r, c in failed] or ["Everything passed."]
    return "\n".join(lines) + "\n"


def _words(found: Cell | None) -> str:
    if found is None:
        return "–"
    mark = {"passed": "✓", "undecided": "?"}.get(found.verdict, "✗")
    parts = [f"{found.quality:.2%}"] if found.quality is not None else []
    if found.latency_ns is not None and found.latency_low_ns is not None and found.latency_high_ns is not None:
        parts.append(f"{found.latency_ns / 1e3:.1f} µs [{found.latency_low_ns / 1e3:.1f}, {found.latency_high_ns / 1e3:.1f}]")
    if found.size_bytes:
        parts.append(f"{found.size_bytes / 1e3:,.0f} kB")
    return f"{mark} {', '.join(parts)}"


def main() -> None:
    """Measure what is not measured yet, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundles", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "models.md")
    parser.add_argument(
        "--share", default="1/1", metavar="I/N", help="measure the I-th of N shares only, on a core of its own; write nothing"
    )
    parser.add_argument("--known", action="store_true", help="measure nothing; write what is measured")
    options = parser.parse_args()
    before = load_average()
    share, shares = map(int, options.share.split("/"))
    every = list(bundles(options.bundles))
    if not every:
        sys.exit(f"no trained bundle in {options.bundles}; run: make train-all")
    for bundle in [] if options.known else every[share - 1 :: shares]:
        print(bundle, file=sys.stderr, flush=True)
        measure(bundle)
    if shares > 1:
        return
    found = [result(bundle) for bundle in every if (bundle / _DONE).is_file()]
    write_file(ROOT / "models" / FILE, msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    write_file(options.out, markdown(found, before))


if __name__ == "__main__":
    main()
