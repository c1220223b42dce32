"""docs/real-models.md, of what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.metadata import version

from .measure import PRECISIONS, Cell, Row, right
from .raw import TARGETS, lines_of

_FORMATS = ("onnx", "tflite", "openvino")
_LIBRARIES = (
    "onnxruntime", "onnx", "openvino", "nncf", "ai-edge-litert", "ai-edge-quantizer", "onnx2tf", "tf2onnx", "tensorflow", "torch",
    "litert-torch",
)  # fmt: skip
_GOALS = {"fp32": 0.95, "fp16": 0.9, "int8": 0.75}
_LONGEST = 300
_HEAD = """# Real models

Trained networks that others ship inside their packages, converted by `toolkit convert` with 60 to 600 real samples, and compared with
how the package itself runs them. `make real-models` makes this page; it takes hours. Nothing of these packages is in this repository.

Each artifact is called as an app calls it, on samples that the conversion did not see, beside the package's own file in the package's own
engine. A cell is right where at most one in a hundred decisions differs, and in fp32 no output by more than a thousandth of its largest
value; what is not is **bold**. What is decided stands in the table: characters read, voice frames, notes. Behind it stands how long a call
takes over the package's own way in the same minutes, the median of seven rounds by turns with two threads; below one is faster. *(failed)*
behind a right cell and *(passed)* behind a wrong one are the toolkit's own verdict where it differs: the first is severe, the second
would be an error of its evidence. A file that its makers quantized has cells in int8 alone: there is no float network to make.
"""


def page(rows: Sequence[Row], left: Sequence[str]) -> bytes:
    """The page of ``rows``; ``left`` are networks that are not measured yet."""
    parts = [_HEAD, _shares(rows)]
    if left:
        missing = f"{len(left)} of {len(rows) + len(left)} networks: {', '.join(left)}"
        parts.append(f"**Not measured yet**, {missing}. `make real-models` goes on with them.")
    if any(row.raw for row in rows):
        parts.append(_beside(rows))
    parts += ["## Decisions and times\n\n" + _table(rows), "## Where a cell is wrong or missing\n\n" + _reasons(rows)]
    for machine in sorted({row.machine for row in rows}):
        there = [row for row in rows if row.machine == machine]
        dates, loads = sorted({row.date for row in there}), [row.load for row in there]
        when = " to ".join(dates[:1] + dates[1:][-1:])
        parts.append(f"{len(there)} measured {when} on {machine}, at a load of {min(loads):.0f} to {max(loads):.0f}.")
    parts.append(f"With {_versions()}.")
    return ("\n\n".join(part.strip() for part in parts) + "\n").encode()


def _versions() -> str:
    return ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)


def line(row: Row) -> str:
    """A row for the terminal."""
    cells = [f"  {cell.target}: {_cell(cell)}{'' if cell.right else f' {cell.problem or cell.reason}'}" for cell in row.cells]
    return "\n".join([f"{row.name}, {row.seconds:.0f} s {row.problem}", *cells])


def _shares(rows: Sequence[Row]) -> str:
    """How many cells are right; what was not made is not, whatever the reason."""
    with_raw = [row for row in rows if row.raw]
    lines = [f"| right | {' | '.join(PRECISIONS)} |", f"| --- |{' --- |' * len(PRECISIONS)}"]
    told = [_share([_own(row, precision) for row in rows]) for precision in PRECISIONS]
    lines.append(f"| `toolkit convert`, {len(rows)} networks in three formats | {' | '.join(told)} |")
    goal = f"| goal | {' | '.join(f'{_GOALS[precision]:.0%}' for precision in PRECISIONS)} |"
    if not with_raw:
        return "\n".join([*lines, goal])
    told = [_share([_own(row, precision) for row in with_raw]) for precision in PRECISIONS]
    lines.append(f"| `toolkit convert`, the {len(with_raw)} ONNX files among them | {' | '.join(told)} |")
    told = [_share([_raw(row, precision) for row in with_raw]) for precision in PRECISIONS]
    lines.append(f"| the tools themselves, the same files | {' | '.join(told)} |")
    return "\n".join([*lines, goal])


def _share(cells: Sequence[tuple[int, int]]) -> str:
    right, count = sum(each for each, _ in cells), sum(each for _, each in cells)
    return f"{right} of {count} ({right / max(1, count):.0%})"


def _own(row: Row, precision: str) -> tuple[int, int]:
    """How many cells of a row are right, and of how many: a file in integers has no float network to make."""
    return sum(cell.right for cell in row.cells if cell.precision == precision), 0 if _none(row, precision) else len(_FORMATS)


def _none(row: Row, precision: str) -> bool:
    return row.integers and precision != "int8"


def _raw(row: Row, precision: str) -> tuple[int, int]:
    """As `_own`, of what the tools make; the source itself is ONNX in fp32."""
    if _none(row, precision):
        return 0, 0
    given = precision == "fp32"
    return given + sum(right(raw.target, raw.found) for raw in row.raw if raw.target.endswith(precision)), len(_FORMATS)


def _beside(rows: Sequence[Row]) -> str:
    """The same networks by the tools under the converters."""
    pairs = [(raw, next((c for c in row.cells if c.target == raw.target), None)) for row in rows for raw in row.raw]
    lines = [
        "## Beside the tools themselves",
        "",
        "The ONNX files among them by each tool as its documents say, with the same samples: `onnxruntime.transformers.float16`,",
        "`quantize_static`, `openvino.convert_model`, `nncf.quantize`, `onnx2tf`. Lines are those of the scripts in",
        "`benchmarks/real_models/raw.py`; `toolkit convert` is one command for all.",
        "",
        "| target | right, the tool | right, toolkit convert | seconds, the tool | lines |",
        "| --- | --- | --- | --- | --- |",
    ]
    for target in TARGETS:
        own = [(raw, cell) for raw, cell in pairs if raw.target == target]
        tool, ours = sum(right(target, raw.found) for raw, _ in own), sum(bool(cell and cell.right) for _, cell in own)
        seconds = sum(raw.took_s for raw, _ in own)
        lines.append(f"| {target} | {tool} of {len(own)} | {ours} of {len(own)} | {seconds:.0f} | {lines_of(target)} |")
    converted = sum(row.seconds for row in rows if row.raw)
    lines += ["", f"`toolkit convert` with all its verification, and the comparison above, took {converted:.0f} s for them."]
    return "\n".join(lines)


def _table(rows: Sequence[Row]) -> str:
    heads = [f"{target} {precision}" for target in _FORMATS for precision in PRECISIONS]
    lines = [f"| network | decided | {' | '.join(heads)} |", f"| --- | --- |{' --- |' * len(heads)}"]
    for row in rows:
        cells = {cell.target: cell for cell in row.cells}
        figures = [_cell(cells[name]) if (name := head.replace(" ", "-")) in cells else "" for head in heads]
        lines.append(f"| {row.name} ({row.package}): {row.what} | {row.metric.lower()} | {' | '.join(figures)} |")
    return "\n".join(lines)


def _cell(cell: Cell) -> str:
    if cell.found is None:
        return "not made" if cell.verdict == "not made" else "does not run"
    figure = f"{cell.found.alike:.1f} %" if cell.precision != "fp32" or not cell.right else f"{cell.found.error:.0e}"
    verdict = {(True, "failed"): " *(failed)*", (False, "passed"): " *(passed)*"}.get((cell.right, cell.verdict), "")
    return f"{figure if cell.right else f'**{figure}**'}, {cell.found.times[0]:.2f}x{verdict}"


def _reasons(rows: Iterable[Row]) -> str:
    lines = []
    for row in rows:
        if row.problem:
            lines.append(f"- {row.name}: {row.problem}")
        for cell in row.cells:
            words = cell.problem or cell.reason or "no reason"
            words = words if len(words) <= _LONGEST else f"{words[:_LONGEST]}..."
            lines += [] if cell.right else [f"- {row.name}, {cell.target}: {_cell(cell).replace('*', '')}; {words}"]
    return "\n".join(lines) or "None."
