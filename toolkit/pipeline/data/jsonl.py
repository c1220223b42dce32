"""Tables as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.core import DataError

from ._tables import Table


class JsonLines(Table):
    """``table.jsonl``, an object a line; a value may be a list of numbers."""

    name = "jsonl"
    takes = "a table of numbers such as table.jsonl"
    example = "table.jsonl"
    suffixes = (".jsonl", ".ndjson")

    def _columns(self, file: Path) -> list[str]:
        return [*next((row for _, row in self._rows(file, ())), {})]

    def _rows(self, file: Path, columns: Sequence[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
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
