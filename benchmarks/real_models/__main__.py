"""Networks of other people's packages: ``make real-models`` writes docs/real-models.md and docs/real-models.json.

    python -m benchmarks.real_models --only ppocr4-rec,magika

The smallest files come first, each network in a process of its own with a time limit. The page is written anew as soon as a network is
measured; what its JSON holds, of another machine too, is not measured again unless that is asked for. What the tools themselves make of
the files comes last, and is measured once.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec

from toolkit.core import ToolkitError, run_isolated, write_file

from .base import Network, all_networks
from .measure import ROOT, Order, Raw, Row, size
from .page import line, page

_WORK, _LONGEST_S = ROOT / "artifacts" / "real-models", 7200.0


def main() -> None:
    """Measure what is not measured yet, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="NAME[,NAME]", help="these networks only; measured again")
    parser.add_argument("--again", action="store_true", help="measure all again, not only what is new")
    parser.add_argument("--work", type=Path, default=_WORK, help="where packages, artifacts and logs are kept")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="where the page goes")
    options = parser.parse_args()
    every = all_networks()
    names = options.only.split(",") if options.only else []
    if unknown := set(names) - {each.name for each in every}:
        sys.exit(f"no such network: {', '.join(sorted(unknown))}; known: {', '.join(each.name for each in every)}")
    work, answers = options.work.absolute(), options.out / "real-models.json"
    rows = {row.name: row for row in _kept(answers)}

    def keep(row: Row) -> None:
        rows[row.name] = row
        found = [rows[each.name] for each in every if each.name in rows]
        write_file(answers, msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
        write_file(options.out / "real-models.md", page(found, [each.name for each in every if each.name not in rows]))

    todo = [each for each in every if (each.name in names if names else options.again or each.name not in rows)]
    for place, network in enumerate(sorted(todo, key=lambda each: size(each, work))):
        before = rows.get(network.name)
        measured = _measured(network, work)
        keep(msgspec.structs.replace(measured, raw=before.raw if before else ()))
        print(f"{place + 1}/{len(todo)} {line(measured)}", file=sys.stderr, flush=True)
    without = {name for name, row in rows.items() if not row.raw}
    asked = [each for each in (todo if names else every) if each.name in without and each.file.endswith(".onnx")]
    for network in sorted(asked, key=lambda each: size(each, work)):
        keep(msgspec.structs.replace(rows[network.name], raw=_tools(network, work)))


def _kept(answers: Path) -> list[Row]:
    return msgspec.json.decode(answers.read_bytes(), type=list[Row]) if answers.is_file() else []


def _measured(network: Network, work: Path) -> Row:
    try:
        return msgspec.convert(_alone("measure_task", network, work), Row)
    except ToolkitError as error:
        return Row(network.name, network.package, network.what, "", 0.0, (), problem=str(error))


def _tools(network: Network, work: Path) -> tuple[Raw, ...]:
    try:
        return msgspec.convert(_alone("raw_task", network, work), tuple[Raw, ...])
    except ToolkitError as error:
        print(f"{network.name}: {error}", file=sys.stderr, flush=True)
        return ()


def _alone(task: str, network: Network, work: Path) -> object:
    """In a process of its own: a crash of an engine or an hour without an end is that network's, and the others go on."""
    (work / network.name).mkdir(parents=True, exist_ok=True)
    return run_isolated(
        f"benchmarks.real_models.measure:{task}",
        Order(network.name, str(work)),
        timeout_s=_LONGEST_S,
        log=work / network.name / "measure.log",
        environment={"PYTHONPATH": str(ROOT)},
        fresh=True,
    )


if __name__ == "__main__":
    main()
