"""What benchmarks write into pages of docs."""

from __future__ import annotations

from pathlib import Path

from toolkit.core import write_file


def write_measured(page: Path, mark: str, text: str) -> None:
    """Put `text` behind a mark of `page`, in place of what stands there up to the next section."""
    head, _, rest = page.read_text(encoding="utf-8").partition(mark)
    _, section, after = rest.partition("\n## ")
    write_file(page, f"{head}{mark}\n\n{text}\n{section}{after}".encode())
