"""Tables as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from toolkit.core import DataError

from ._tables import Row, Table


class JsonLines(Table):
    """``table.jsonl``, an object a line; a value may be a list of numbers."""

    name = "jsonl"
    takes = "a table of numbers such as table.jsonl"
    example = "table.jsonl"
    suffixes = (".jsonl", ".ndjson")

    def columns(self, file: Path) -> list[str]:
        """As `Table.columns`."""
        return [*next((row for _, row in self.rows(file, ())), {})]

    def rows(self, file: Path, columns: Sequence[str]) -> Iterator[Row]:
        """As `Table.rows`."""
        with file.open(encoding="utf-8") as stream:
            for number, line in enumerate(stream, 1):
                if not line.strip():
                    continue
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise DataError(f"'{file}' line {number}", expected="an object", got=type(row).__name__)
                for name in columns:
                    if name not in row:
                        raise DataError(f"'{file}' line {number} has no '{name}'", expected=f"one of {', '.join(row)}")
                yield f"line {number}", row
