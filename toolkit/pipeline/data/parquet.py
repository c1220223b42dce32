"""Tables in Apache Parquet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from toolkit.core import needs

from ._tables import ROWS, Row, Table


class ParquetTable(Table):
    """``table.parquet``, by pyarrow."""

    name = "parquet"
    takes = "a table of numbers such as table.parquet"
    example = "table.parquet"
    suffixes = (".parquet",)

    def columns(self, file: Path) -> list[str]:
        """As `Table.columns`."""
        with needs("tables"):
            import pyarrow.parquet
        return list(pyarrow.parquet.read_schema(file).names)

    def rows(self, file: Path, columns: Sequence[str]) -> Iterator[Row]:
        """As `Table.rows`."""
        with needs("tables"):
            import pyarrow.parquet
        number = 0
        with pyarrow.parquet.ParquetFile(file) as table:
            for batch in table.iter_batches(ROWS, columns=list(dict.fromkeys(columns))):
                for row in batch.to_pylist():
                    number += 1
                    yield f"row {number}", row
