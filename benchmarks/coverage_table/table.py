"""The rows as a page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.coverage_table.architectures import SOURCES
from benchmarks.coverage_table.measure import BATCHES, FORMATS, Cell, Result
from toolkit.core import Precision, this_machine, version_of

_TOOLS = ("torch", "transformers", "keras", "onnx", "onnxruntime", "openvino", "nncf", "litert-torch", "ai-edge-quantizer")
_MARKS = {"passed": "✓", "undecided": "?", "failed": "✗", "missing": "–", "source": "="}


@dataclass(frozen=True)
class Counts:
    """fp32 cells: ``cells`` that an edge leads to or a raw exporter reaches, ``green`` of them, ``reached`` by the raw exporters, and
    ``missed``, those that a raw exporter reaches and this project does not.
    """

    cells: int
    green: int
    reached: int
    missed: int


def count(results: Sequence[Result]) -> Counts:
    """Over all rows that have a source."""
    found = [cell for result in results for cell in result.cells if _is_fp32(cell) and (cell.state != "missing" or cell.raw == "")]
    green = [cell for cell in found if cell.state == "passed"]
    reached = [cell for cell in found if cell.raw == ""]
    return Counts(len(found), len(green), len(reached), len([cell for cell in reached if cell.state != "passed"]))


def _is_fp32(cell: Cell) -> bool:
    return cell.target.endswith(f"-{Precision.FP32}") and cell.state != "source"


def page(results: Sequence[Result], left: Sequence[str]) -> str:
    """The whole page in Markdown; `left` are the names of the architectures that are not measured."""
    made = [result for result in results if not result.problem]
    counts = count(made)
    versions = ", ".join(f"{name} {version}" for name in _TOOLS if (version := version_of(name)))
    share = f"{counts.green / counts.cells:.1%}" if counts.cells else "none"
    lines = [
        "# Coverage: networks that this project did not write",
        "",
        "Made by `make coverage-table`; never edited by hand. Raw values: docs/coverage.json.",
        "",
        f"{this_machine().cpu}; {versions}.",
        "",
        f"- {len(made)} architectures ({', '.join(_by_source(made))}), every one with random weights or constant ones.",
        f"- {counts.green} of {counts.cells} fp32 cells are green ({share}).",
        f"- The raw exporters reach {counts.reached} of them; {counts.reached - counts.missed} of those are green.",
        *([f"- Not measured: {', '.join(left)}."] if left else []),
        "",
        "✓ parity passed, ? undecided with these samples, ✗ failed, – no edge leads there, = it is the source. The second mark of fp32 is",
        "the raw exporter (torch.onnx.export, openvino.convert_model, litert_torch.convert) on the same source: ✓ it converts and is right",
        f"at one batch, ✗ it is not, blank where there is none. Batch: ✓ where {', '.join(map(str, BATCHES))} were compared, else the",
        "one that the source fixes. Parity is of every output against the source's own framework, within 1e-4 + 1e-3 of its size.",
        "int8 is static; the figure is how often the largest entry of the first output's last axis is where the source has it, of n. The",
        "weights are random, so that scores are close to each other and noise: what a trained network keeps is in docs/models.md.",
        "",
        "## Table",
        "",
        f"| architecture | {' | '.join(f'{f} fp32 | batch | {f} int8' for f in FORMATS)} | n |",
        f"| --- |{' --- |' * (3 * len(FORMATS) + 1)}",
    ]
    for source in SOURCES:
        of_source = [result for result in results if result.source == source]
        if of_source:
            lines.append(f"| **{source}** |{' |' * (3 * len(FORMATS) + 1)}")
        lines += [_line(result) for result in of_source]
    lines += ["", "## Causes", "", "Every fp32 cell that is not green, and every int8 cell that could not be made.", ""]
    lines += [f"- {cause}" for result in results for cause in _causes(result)] or ["None."]
    lines += ["", "## What the raw exporters do not reach", ""]
    lines += [
        f"- {result.name}, {cell.target}: {_short(cell.raw)}"
        for result in made
        for cell in result.cells
        if cell.raw not in {None, "", NONE}
    ] or ["Nothing."]
    lines += ["", "## Networks", ""]
    lines += [f"- {result.name}: {result.note}. {result.signature}" for result in made]
    return "\n".join(lines) + "\n"


NONE = "no raw exporter"


def _by_source(results: Sequence[Result]) -> list[str]:
    return [f"{len(found)} {source}" for source in SOURCES if (found := [r for r in results if r.source == source])]


def _line(result: Result) -> str:
    if result.problem:
        return f"| {result.name} |{' – |' * (3 * len(FORMATS))} {'no source' if result.problem else ''} |"
    cells = {cell.target: cell for cell in result.cells}
    words = []
    for format in FORMATS:
        exact, small = cells[f"{format}-{Precision.FP32}"], cells[f"{format}-{Precision.INT8}"]
        raw = "" if exact.raw in {None, NONE} else " ✓" if exact.raw == "" else " ✗"
        words += [f"{_MARKS[exact.state]}{raw}", _batches(exact), _agreement(small)]
    choices = sorted({cell.choices for cell in result.cells if cell.choices})
    return f"| {result.name} | {' | '.join(words)} | {', '.join(f'{n:,}' for n in choices)} |"


def _batches(cell: Cell) -> str:
    if cell.state != "passed":
        return ""
    return "✓" if set(BATCHES) <= set(cell.batches) else ", ".join(map(str, cell.batches))


def _agreement(cell: Cell) -> str:
    if cell.state in {"missing", "source"}:
        return "–"
    return f"{cell.agreement:.1%}" if cell.agreement is not None else "✗" if not cell.batches else "no scores"


def _causes(result: Result) -> list[str]:
    if result.problem:
        return [f"{result.name}: {_short(result.problem)}"]
    return [
        f"{result.name}, {cell.target}: {_short(cell.reason)}"
        for cell in result.cells
        if (_is_fp32(cell) and cell.state != "passed") or (cell.state == "failed" and not cell.batches)
    ]


def _short(text: str | None) -> str:
    words = " ".join((text or "").split())
    # What an engine says of its own sources must not become a link, a column or a tag.
    words = re.sub(r"([|<\[\]()])", r"\\\1", words)
    return f"{words[:300]} …" if len(words) > 300 else words
