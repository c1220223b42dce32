"""Runs cases in a worker and judges what came of each: what a file may never do, whatever is in it."""

from __future__ import annotations

import os
import re
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.commands import PATH, Commands
from toolkit.core import printable

from .cases import Case

LIMIT_S = 180.0
MAX_LINES, MAX_TEXT = 4, 3000
MAX_BYTES = 3 * 2**30
# A line that click writes around an error of its own.
_USAGE = re.compile(r"Usage: |Try 'toolkit |samples(: | of )|\s*$")
# What torch keeps in the folder for temporary files as a cache.
_LIBRARIES = re.compile(r"torchinductor_")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]")


@dataclass(frozen=True)
class Outcome:
    """What became of a case; ``problems`` is empty when all is as it must be."""

    case: Case
    code: int | None
    seconds: float
    message: str
    problems: tuple[str, ...]


@dataclass
class Harness:
    """A worker with a home, a cache and a folder for temporary files of its own below `folder`."""

    folder: Path
    _worker: Commands | None = None
    deaths: int = field(default=0)

    def run(self, case: Case, home: Path) -> Outcome:
        """Run one case whose files are in `home`; the worker is started again when it died or hung."""
        worker = self._started()
        output, errors = home / "stdout", home / "stderr"
        before = snapshot(home)
        start = time.monotonic()
        problems: list[str] = []
        answer: dict[str, Any] = {"code": None, "peak_bytes": 0}
        try:
            answer = worker.ask(case.words, home / "work", output=output, errors=errors, limit_s=LIMIT_S)
        except (TimeoutError, ChildProcessError) as error:
            problems.append(f"{'hang' if isinstance(error, TimeoutError) else 'crash'}: {error}")
            self.close()
        seconds = time.monotonic() - start
        text, told = _read(output), _read(errors)
        problems += judge(answer["code"], text, told)
        if answer["peak_bytes"] > MAX_BYTES:
            problems.append(f"memory: {answer['peak_bytes'] / 2**30:.1f} GiB in the main process")
        problems += [f"changed: {name}" for name in _changed(before, snapshot(home)) if not _allowed(name, case)]
        left = [entry.name for entry in (self.folder / "tmp").iterdir() if not _LIBRARIES.match(entry.name)]
        problems += [f"left behind: {name}" for name in left]
        for name in left:
            shutil.rmtree(self.folder / "tmp" / name, ignore_errors=True)
            (self.folder / "tmp" / name).unlink(missing_ok=True)
        problems += [f"home: {entry.name}" for entry in (self.folder / "home").iterdir()]
        return Outcome(case, answer["code"], seconds, printable(told.strip()[-400:]), tuple(problems))

    def _started(self) -> Commands:
        if self._worker is None:
            for name in ("tmp", "home"):
                shutil.rmtree(self.folder / name, ignore_errors=True)
                (self.folder / name).mkdir(parents=True)
            environment = {
                "TMPDIR": str(self.folder / "tmp"),
                "HOME": str(self.folder / "home"),
                "TOOLKIT_CACHE": str(self.folder / "cache"),
                "MPLCONFIGDIR": str(self.folder / "mpl"),
                "PYTHONPATH": PATH,
                "COLUMNS": "120",
            }
            self._worker = Commands(environment)
        return self._worker

    def close(self) -> None:
        """End the worker."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None


def judge(code: int | None, output: str, errors: str) -> list[str]:
    """What is wrong with a command's exit code and words."""
    problems = []
    if code not in {0, 1, 2, None}:
        problems.append(f"exit code {code}")
    if "Traceback" in output + errors:
        problems.append("traceback")
    lines = [line for line in errors.splitlines() if not _USAGE.match(line)]
    if len(lines) > MAX_LINES or sum(map(len, lines)) > MAX_TEXT:
        problems.append(f"message of {len(lines)} lines, {sum(map(len, lines))} characters")
    if code == 2 and not any(line.lower().startswith("error: ") for line in lines):
        problems.append("no error told")
    if _CONTROL.search(output + errors):
        problems.append("control characters on the terminal")
    return problems


def snapshot(home: Path) -> dict[str, tuple[int, int, int, str]]:
    """Everything in a case's folder but the worker's own files: kind, size, time, target of a link."""
    found: dict[str, tuple[int, int, int, str]] = {}
    for folder, folders, files in os.walk(home):
        for name in (*folders, *files):
            path = Path(folder, name)
            about = path.lstat()
            relative = str(path.relative_to(home))
            if relative not in {"stdout", "stderr"}:
                # A folder's own time and size change with what is in it.
                is_folder = path.is_dir() and not path.is_symlink()
                target = str(path.readlink()) if path.is_symlink() else ""
                found[relative] = (about.st_mode, 0 if is_folder else about.st_size, 0 if is_folder else about.st_mtime_ns, target)
    return found


def _changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def _allowed(name: str, case: Case) -> bool:
    return any(name == folder or name.startswith(f"{folder}/") for folder in case.writable)


def _read(file: Path) -> str:
    return file.read_text(errors="replace") if file.exists() else ""
