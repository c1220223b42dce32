"""What the cache holds, and how it is made smaller: what was used last goes last."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.core import Artifact, ToolkitError, cache_home, leftovers, remove_folder, remove_leftover, size_of

MADE = ("artifacts", "evidence", "choices", "compiled", "kernels", "prepared")
"""The kinds of entries that are made again when they are needed, without a word."""

FETCHED = ("data", "features", "browser")
"""Those that have to be fetched from elsewhere, or trained for minutes."""

_DAY_S = 86400.0
# How far below the cache's folder of a kind its entries lie.
_DEPTHS = {kind: 2 if kind == "artifacts" else 1 for kind in (*MADE, *FETCHED)}


@dataclass(frozen=True)
class Entry:
    """One thing in the cache: ``kind`` is its folder there, ``used`` when it was made or last used, in seconds since 1970."""

    kind: str
    name: str
    path: Path
    size_bytes: int
    used: float


def entries(kinds: Iterable[str] = (*MADE, *FETCHED)) -> list[Entry]:
    """What the cache holds of these kinds, used longest ago first."""
    found = [entry for kind in kinds for path in _below(cache_home() / kind, _DEPTHS[kind]) if (entry := _entry(kind, path)) is not None]
    return sorted(found, key=lambda entry: (entry.used, entry.name))


def clear(*, kinds: Sequence[str] = MADE, older_than_s: float = 0.0, most_bytes: int = 0) -> list[Entry]:
    """Remove what was not used for `older_than_s` seconds, as far as the cache's size exceeds `most_bytes`, used longest ago first.

    What killed processes left in the cache goes too. Returns what was removed; a process that reads an entry meanwhile makes it anew.
    """
    _remove_leftovers()
    now, there = time.time(), entries(kinds)
    total = sum(entry.size_bytes for entry in there)
    gone = []
    for entry in there:
        if total <= most_bytes or now - entry.used < older_than_s:
            break  # All others were used later.
        _remove(entry.path)
        if not entry.path.exists():
            gone.append(entry)
            total -= entry.size_bytes
    return gone


def _below(folder: Path, depth: int) -> Iterator[Path]:
    """What lies `depth` levels below; hidden names are working folders, and links are not ours."""
    if folder.is_symlink() or not folder.is_dir():
        return
    for path in folder.iterdir():
        if depth > 1:
            yield from _below(path, depth - 1)
        elif not path.name.startswith(".") and not path.is_symlink():
            yield path


def _entry(kind: str, path: Path) -> Entry | None:
    try:
        used = path.stat().st_mtime
        return Entry(kind, _name(kind, path), path, size_of(path), used)
    except OSError:
        return None  # Another process removed it meanwhile.


def _name(kind: str, path: Path) -> str:
    if kind != "artifacts":
        return path.name
    try:
        artifact = Artifact.load(path, verify=False)
    except ToolkitError:
        return f"{path.name[:12]}, damaged"
    return f"{artifact.manifest.model} {artifact.name}"


def _remove(path: Path) -> None:
    if path.is_dir():
        remove_folder(path)
    else:
        path.unlink(missing_ok=True)


def _remove_leftovers() -> None:
    folders = [folder for kind in _DEPTHS for depth in range(_DEPTHS[kind]) for folder in _folders(cache_home() / kind, depth)]
    for folder in folders:
        for path in leftovers(folder):
            remove_leftover(path)


def _folders(folder: Path, depth: int) -> list[Path]:
    if depth == 0:
        return [folder] if folder.is_dir() and not folder.is_symlink() else []
    return [path for path in _below(folder, depth) if path.is_dir()]
