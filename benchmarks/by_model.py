"""The command line of a report with one measured row a model: which are measured, and the page and the raw values after each."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from toolkit.core import write_file

ROOT = Path(__file__).resolve().parents[1]


class Measured(Protocol):
    """What is stored of a model."""

    @property
    def model(self) -> str: ...


R = TypeVar("R", bound=Measured)


def report(
    about: str | None,
    kind: type[R],
    measure: Callable[..., R],
    page: Callable[[Sequence[R]], str],
    *,
    models: Sequence[str],
    out: Path,
    options: Mapping[str, str] | None = None,
    join: Callable[[R, R], R] = lambda old, new: new,
) -> None:
    """Measure what the command line names, from bundles in a folder and with a folder for work; rows of other models stay as they are.

    `options` of a report's own, with their help, go to `measure` as words; `join` makes one of what is stored of a model and what is new.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundles", type=Path, default=ROOT / "artifacts" / "train-all")
    parser.add_argument("--models", default=",".join(models), help="which of them to measure; the others stay as they are")
    parser.add_argument("--out", type=Path, default=out)
    for name, about_it in (options or {}).items():
        parser.add_argument(f"--{name}", default="", help=about_it)
    given = parser.parse_args()
    stored = given.out.with_suffix(".json")
    values = msgspec.json.decode(stored.read_bytes()) if stored.exists() else []
    rows = {row.model: row for row in (msgspec.convert(value, kind) for value in values)}
    with tempfile.TemporaryDirectory(prefix="toolkit-report-") as work:
        for name in given.models.split(","):
            new = measure(name, given.bundles, Path(work), **{option: getattr(given, option) for option in options or {}})
            rows[name] = join(rows[name], new) if name in rows else new
            ordered = [rows[each] for each in models if each in rows]
            write_file(stored, msgspec.json.format(msgspec.json.encode(ordered), indent=1) + b"\n")
            write_file(given.out, page(ordered))
            print(f"{name}: measured", flush=True)
