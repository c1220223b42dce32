"""A copy of the toolkit's sources that a test can edit, and a process that runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import toolkit


def copy_toolkit(folder: Path) -> Path:
    """The package's sources in `folder`, without the nets that come with it; returns the package's folder."""
    copy = folder / "toolkit"
    shutil.copytree(Path(toolkit.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__", "nets"))
    return copy


def edit(file: Path, old: str, new: str) -> None:
    """Change the one place of a source file that says `old`."""
    text = file.read_text()
    assert text.count(old) == 1, f"{file} says {text.count(old)} times: {old}"
    file.write_text(text.replace(old, new))


def run_tree(folder: Path, code: str, *, cache: Path) -> list[str]:
    """What `code` prints in a new process with the toolkit of `folder`, by lines."""
    # A copy that is edited within a second would be run out of its old bytecode.
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "TOOLKIT_CACHE": str(cache)}
    environment.pop("NUMBA_CACHE_DIR", None)
    command = [sys.executable, "-P", "-c", code]
    ran = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()
