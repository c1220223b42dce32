"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import platformdirs

from .errors import StorageError

_CANNOT_WRITE = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EFBIG}
# What a rename onto a folder with content, or onto a file, answers.
_OCCUPIED = {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}
_NEW, _OLD, _REMOVED = "new", "old", "removed"
_OWNER = re.compile(r"([0-9a-f]{8})-(\d+)-\w{8}")
_LEFTOVER = re.compile(rf"\.(.+)-{_OWNER.pattern}")
_DAY_S = 86400.0


def cache_home() -> Path:
    """The folder for converted artifacts and fetched data: ``TOOLKIT_CACHE``, else the user's cache folder."""
    return Path(os.environ.get("TOOLKIT_CACHE") or platformdirs.user_cache_path("edge-inference-toolkit"))


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_plain_name(name: str) -> bool:
    """Whether a file's name that came from elsewhere, such as ``variables/variables.index``, can only lead downwards, on every system:
    no ``..``, no root, no drive, no backslash, nothing empty.
    """
    parts = PurePosixPath(name).parts
    return bool(parts) and name == "/".join(parts) and not any(part in {"..", "/"} or set(part) & set("\\:\0") for part in parts)


def is_inside(name: str, folder: Path) -> bool:
    """Whether a plain name also stays in `folder` where parts of it are links."""
    try:
        return is_plain_name(name) and (folder / name).resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # Links that lead to each other.
        return False


def is_link(path: Path) -> bool:
    """Whether a path is a symbolic link, or a file that has a second name: so a stranger's folder may hold another file of its user."""
    return path.is_symlink() or (path.is_file() and path.stat().st_nlink > 1)


@contextlib.contextmanager
def storage_errors(target: Path) -> Iterator[None]:
    """Translate a full disk, a folder without permission, or a folder where a file should be, into `StorageError`."""
    try:
        yield
    except OSError as error:
        if error.errno not in _CANNOT_WRITE:
            raise
        what = "free some space" if error.errno in {errno.ENOSPC, errno.EDQUOT} else "choose another folder"
        raise StorageError(f"cannot write '{target}': {error.strerror}", hint=what) from error


def make_folder(folder: Path) -> None:
    """Create a folder and its parents where they are missing; raises `StorageError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        # Whatever the code: some systems say "no such file" where a folder cannot be made.
        raise StorageError(f"cannot write into '{folder}': {error.strerror}", hint="choose another folder") from error


@contextlib.contextmanager
def new_folder(target: Path, *, replace: bool = True) -> Iterator[Path]:
    """A temporary folder beside `target` that takes its name when the block ends well, and is removed otherwise.

    An existing `target` is replaced: its old content stays readable until the new one is complete, and comes back when the new one cannot
    take its place. With `replace` False it stays, whoever put it there meanwhile. Several processes may do this at once.
    """
    make_folder(target.parent)
    with storage_errors(target):
        _remove_stale(target)
        home = Path(tempfile.mkdtemp(prefix=_working_name(target), dir=target.parent))
        try:
            work = home / _NEW
            work.mkdir()
            yield work
            work.chmod(0o755)
            _take_name(work, target, home / _OLD, replace=replace)
        finally:
            _discard(home, target)


def _take_name(work: Path, target: Path, old: Path, *, replace: bool) -> None:
    """Rename `work` to `target`, and what is there to `old` if it is to be replaced.

    Only the rename itself is asked whether something is there: the answer to an earlier question may be outdated by another process.
    """
    while True:
        try:
            work.rename(target)
        except OSError as error:
            if error.errno not in _OCCUPIED:
                raise
        else:
            return
        if not replace:
            return
        shutil.rmtree(old, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            target.rename(old)


def _discard(home: Path, target: Path) -> None:
    """Remove a working folder or file; what it took away from `target` goes back if nothing is there."""
    with contextlib.suppress(OSError):
        # Not through a link, which no run of ours leaves: that would move something from elsewhere.
        if not target.exists() and not home.is_symlink():
            (home / _OLD).rename(target)
    shutil.rmtree(home, ignore_errors=True)
    with contextlib.suppress(OSError):
        home.unlink(missing_ok=True)


def remove_folder(folder: Path) -> None:
    """Move a folder away, then delete it, so that no other process sees half of it; nothing happens when it cannot be moved."""
    with contextlib.suppress(OSError):
        home = Path(tempfile.mkdtemp(prefix=_working_name(folder), dir=folder.parent))
        try:
            folder.rename(home / _REMOVED)
        finally:
            shutil.rmtree(home, ignore_errors=True)


def working_file(target: Path) -> Path:
    """A new empty file beside `target` for the time that this process lives; what killed processes left there is removed."""
    make_folder(target.parent)
    with storage_errors(target):
        _remove_stale(target)
        handle, name = tempfile.mkstemp(prefix=_working_name(target), dir=target.parent)
        os.close(handle)
    return Path(name)


def _working_name(target: Path) -> str:
    """The start of a hidden name beside `target` that says whose it is: host, process."""
    return f".{target.name}-{_host()}-{os.getpid()}-"


@functools.cache
def _host() -> str:
    """Eight hex digits for this machine, or for this container: process numbers mean nothing beyond it."""
    space = Path("/proc/self/ns/pid")
    own = f"{platform.node()} {space.readlink() if space.is_symlink() else ''}"
    return hashlib.sha256(own.encode()).hexdigest()[:8]


def _remove_stale(target: Path) -> None:
    """Remove what killed processes left beside `target`: their working files and folders, not those of a process that lives.

    What another host left cannot be asked for its process: it is removed when it is a day old.
    """
    start = f".{target.name}-"
    with contextlib.suppress(OSError), os.scandir(target.parent) as entries:  # What cannot be listed may still be written into.
        names = [entry.name for entry in entries if entry.name.startswith(start)]
        for name in names:
            match = _OWNER.fullmatch(name.removeprefix(start))
            if match and not _is_in_use(target.parent / name, host=match[1], process=int(match[2])):
                _discard(target.parent / name, target)


def leftovers(folder: Path) -> list[Path]:
    """The working files and folders directly in `folder` that killed processes left, by name; not those of a process that lives."""
    found = []
    for path in sorted(folder.iterdir()):
        match = _LEFTOVER.fullmatch(path.name)
        if match and not path.is_symlink() and not _is_in_use(path, host=match[2], process=int(match[3])) and _is_ours(path):
            found.append(path)
    return found


def remove_leftover(path: Path) -> None:
    """Remove one of `leftovers`; what it had taken away from its target comes back if nothing is there."""
    match = _LEFTOVER.fullmatch(path.name)
    if match:
        _discard(path, path.with_name(match[1]))


def _is_ours(path: Path) -> bool:
    return path.is_file() or (path.is_dir() and {entry.name for entry in path.iterdir()} <= {_NEW, _OLD, _REMOVED})


def size_of(path: Path) -> int:
    """The bytes of a file, or of all files below a folder; links count as nothing."""
    files = [path] if not path.is_dir() else [Path(folder, name) for folder, _, names in os.walk(path) for name in names]
    total = 0
    for file in files:
        with contextlib.suppress(FileNotFoundError):  # Another process removed it meanwhile.
            total += 0 if file.is_symlink() else file.stat().st_size
    return total


def mark_used(path: Path) -> None:
    """Set a file's or folder's time to now, by which a cache knows what was used last; nothing happens where that is not allowed."""
    with contextlib.suppress(OSError):
        os.utime(path)


def _is_in_use(path: Path, *, host: str, process: int) -> bool:
    # On Windows the question would end the process.
    if host == _host() and os.name != "nt":
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return False
        except (PermissionError, OverflowError):
            return True
        return True
    try:
        return time.time() - path.stat().st_mtime < _DAY_S
    except OSError:
        return True


def write_file(target: Path, content: bytes | str) -> None:
    """Write a file under a temporary name, then rename it; a killed run leaves the old content."""
    data = content.encode() if isinstance(content, str) else content
    make_folder(target.parent)
    with storage_errors(target):
        _remove_stale(target)
        handle, name = tempfile.mkstemp(prefix=_working_name(target), dir=target.parent)
        work = Path(name)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
            work.chmod(0o644)
            work.replace(target)
        except BaseException:
            work.unlink(missing_ok=True)
            raise
