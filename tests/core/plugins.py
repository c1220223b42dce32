"""Distributions that add plug-ins, as an installer leaves them."""

from __future__ import annotations

from pathlib import Path

from tests.core.test_needs import installed


def add_distribution(folder: Path, name: str, modules: dict[str, str], *, group: str, values: dict[str, str] | None = None) -> Path:
    """A distribution in `folder`, at version 1.0, with the text of each of its modules.

    Each module is an entry point of `group`, but for ``values``, the entry points' values by their names.
    """
    installed(folder, name, "1.0")
    for module, text in modules.items():
        (folder / f"{module}.py").write_text(text)
    points = values or {module: module for module in modules}
    lines = "".join(f"{point} = {value}\n" for point, value in points.items())
    (folder / f"{name}-1.0.dist-info" / "entry_points.txt").write_text(f"[{group}]\n{lines}")
    return folder
