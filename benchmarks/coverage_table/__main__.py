"""Networks that the project did not write, each in every format: ``make coverage-table`` writes docs/coverage.md and docs/coverage.json.

    python -m benchmarks.coverage_table --only bert

Each architecture's row is kept as soon as it is measured, and is not measured again unless that is asked for.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import msgspec

from benchmarks.coverage_table.architectures import all_architectures
from benchmarks.coverage_table.measure import ROOT, Result, measure
from benchmarks.coverage_table.table import count, page
from toolkit.core import write_file
from toolkit.core.forks import fork_server

_WORK = ROOT / "artifacts" / "coverage"
# What the dozen steps of an architecture would each import anew; TensorFlow's steps run in fresh processes.
_PRELOADED = (
    "torch", "torch.onnx", "transformers.modeling_utils", "transformers.modeling_outputs", "onnx", "onnxscript", "onnxruntime",
    "onnxruntime.quantization", "openvino", "nncf", "litert_torch", "ai_edge_quantizer.quantizer", "ai_edge_litert.interpreter",
    "toolkit.converters.planner", "toolkit.converters.task", "toolkit.runtimes.parity", "toolkit.pipeline.source.resolve",
)  # fmt: skip


def known(folder: Path) -> dict[tuple[str, str], Result]:
    """The last row of each architecture, over the files of all shares; lines are appended, so that a stop loses one at most."""
    lines = [line for file in folder.glob("rows-*.jsonl") for line in file.read_bytes().splitlines()]
    rows = sorted((msgspec.json.decode(line, type=Line) for line in lines), key=lambda line: line.time_s)
    return {(line.result.source, line.result.name): line.result for line in rows}


class Line(msgspec.Struct, frozen=True):
    """A row with the time at which it was measured, in seconds since 1970."""

    time_s: float
    result: Result


def main() -> None:
    """Measure what is not measured yet, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="NAME[,NAME]", help="these architectures only; measured again")
    parser.add_argument("--share", default="1/1", metavar="I/N", help="measure the I-th of N shares only; write no page")
    parser.add_argument("--again", action="store_true", help="measure all again, not only what is new")
    parser.add_argument("--known", action="store_true", help="measure nothing; write what is measured")
    parser.add_argument("--work", type=Path, default=_WORK, help="where rows, logs and the cache are kept")
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    options = parser.parse_args()
    os.environ |= {"TOOLKIT_CACHE": str(options.work.absolute() / "cache"), "TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONWARNINGS": "ignore"}
    os.environ["PYTHONPATH"] = str(ROOT)  # Where a step of its own process finds this package.
    with fork_server(_PRELOADED) as variables:
        os.environ |= variables
        _run(options)


def _run(options: argparse.Namespace) -> None:
    share, shares = map(int, options.share.split("/"))
    names = options.only.split(",") if options.only else []
    every = all_architectures()
    wanted = [each for each in every if not names or each.name in names]
    if not wanted:
        sys.exit(f"no such architecture; known: {', '.join(each.name for each in every)}")
    options.work.mkdir(parents=True, exist_ok=True)
    measured = {} if options.again or names else known(options.work)
    # A source that could not be read yesterday may have its edge today.
    done = {key for key, result in measured.items() if not result.problem}
    todo = [] if options.known else [each for each in wanted[share - 1 :: shares] if (each.source, each.name) not in done]
    for place, each in enumerate(todo):
        result = measure(each, options.work / "logs")
        print(f"{place + 1}/{len(todo)} {_summary(result)}", file=sys.stderr, flush=True)
        append(options.work / f"rows-{share}-{shares}.jsonl", result)
    if shares > 1:
        return
    rows = known(options.work)
    results = [rows[each.source, each.name] for each in every if (each.source, each.name) in rows]
    write_file(options.out / "coverage.json", msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
    left = [each.name for each in every if (each.source, each.name) not in rows]
    write_file(options.out / "coverage.md", page(results, left))
    print(count(results), file=sys.stderr)


def append(file: Path, result: Result) -> None:
    """Keep a row."""
    import time

    with file.open("ab") as stream:
        stream.write(msgspec.json.encode(Line(time.time(), result)) + b"\n")


def _summary(result: Result) -> str:
    words = [result.problem] if result.problem else []
    for cell in result.cells:
        raw = "" if cell.raw is None else f" (raw: {cell.raw or 'reached'})"
        figure = f" {cell.agreement:.1%}" if cell.agreement is not None else ""
        words.append(f"  {cell.target}: {cell.state}{figure} {cell.reason}{raw}")
    return "\n".join([f"{result.source} {result.name}, {result.seconds:.0f} s", *words])


if __name__ == "__main__":
    main()
