"""Tables as text with commas or tabs."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ._tables import Row, Table


class CsvTable(Table):
    """``table.csv`` or ``table.tsv``, the first line of which names the columns."""

    name = "csv"
    takes = "a table of numbers such as table.csv (--column NAME=INPUT, --target COLUMN)"
    example = "table.csv"
    suffixes = (".csv", ".tsv")

    def columns(self, file: Path) -> list[str]:
        """As `Table.columns`."""
        with file.open(newline="", encoding="utf-8-sig") as stream:
            return next(self._lines(file, stream), [])

    def rows(self, file: Path, columns: Sequence[str]) -> Iterator[Row]:
        """As `Table.rows`."""
        with file.open(newline="", encoding="utf-8-sig") as stream:
            lines = self._lines(file, stream)
            names = next(lines, [])
            places = {name: names.index(name) for name in columns}
            for number, line in enumerate(lines, 2):
                if line:
                    yield f"line {number}", {name: line[place] if place < len(line) else "" for name, place in places.items()}

    @staticmethod
    def _lines(file: Path, stream: Any) -> Iterator[list[str]]:
        return csv.reader(stream, delimiter="\t" if file.suffix.lower() == ".tsv" else ",")
