"""How much memory a process and everything that it started holds now."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from pathlib import Path

_PROC = Path("/proc")
_RSS = re.compile(r"^VmRSS:\s+(\d+) kB", re.MULTILINE)
_PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)  # A page that a fork shares with its parent is half a page to each.


def tree_bytes(process: int, *, exact: bool = False) -> int:
    """The resident memory of `process` and its descendants; 0 where the system does not tell, as on Windows.

    With `exact` a page that several share counts once, where Linux tells; that walks all their pages, for gigabytes tens of milliseconds.
    """
    if (_PROC / "self" / "smaps_rollup").is_file():
        name, field = ("smaps_rollup", _PSS) if exact else ("status", _RSS)
        own = _family(process) if (_PROC / "thread-self" / "children").is_file() else _with_descendants(process, _parents_of_proc())
        return sum(_from_proc(_PROC / str(pid) / name, field) for pid in own)
    return _from_ps(process)


def _family(process: int) -> set[int]:
    """`process` and its descendants as each thread tells its children: the time does not grow with the processes of the machine."""
    found, waiting = set(), [process]
    while waiting:
        pid = waiting.pop()
        found.add(pid)
        for file in (_PROC / str(pid) / "task").glob("*/children"):
            with contextlib.suppress(OSError):  # The thread has ended.
                waiting += map(int, file.read_text().split())
    return found


def _parents_of_proc() -> dict[int, int]:
    parents = {}
    for folder in _PROC.iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                # The name in brackets may hold anything, spaces and brackets too.
                parents[int(folder.name)] = int((folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    return parents


def _with_descendants(process: int, parents: dict[int, int]) -> set[int]:
    found = {process}
    while True:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        if not more:
            return found
        found |= more


def _from_proc(file: Path, field: re.Pattern[str]) -> int:
    try:
        found = field.search(file.read_text(errors="replace"))
        return int(found[1]) * 1024 if found else 0
    except OSError:
        return 0  # It has ended.


def _from_ps(process: int) -> int:
    command = shutil.which("ps")
    if command is None:
        return 0
    lines = subprocess.run([command, "-axo", "pid=,ppid=,rss="], capture_output=True, text=True, check=False).stdout.splitlines()
    rows = [tuple(map(int, line.split())) for line in lines if len(line.split()) == 3]
    own = _with_descendants(process, {pid: parent for pid, parent, _ in rows})
    return sum(kilobytes * 1024 for pid, _, kilobytes in rows if pid in own)
