"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import platformdirs

from .errors import StorageError

_CANNOT_WRITE = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EFBIG}


def cache_home() -> Path:
    """The folder for converted artifacts and fetched data: ``TOOLKIT_CACHE``, else the user's cache folder."""
    return Path(os.environ.get("TOOLKIT_CACHE") or platformdirs.user_cache_path("edge-inference-toolkit"))


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextlib.contextmanager
def storage_errors(target: Path) -> Iterator[None]:
    """Translate a full disk or a folder without permission into `StorageError`."""
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
def new_folder(target: Path) -> Iterator[Path]:
    """A temporary folder beside `target` that takes its name when the block ends well, and is removed otherwise.

    An existing `target` is replaced: its old content stays readable until the new one is complete.
    """
    make_folder(target.parent)
    with storage_errors(target):
        work = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        try:
            yield work
            work.chmod(0o755)
            if target.exists():
                old = Path(tempfile.mkdtemp(prefix=f".{target.name}-old-", dir=target.parent))
                target.rename(old / "content")
                work.rename(target)
                shutil.rmtree(old, ignore_errors=True)
            else:
                work.rename(target)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def write_file(target: Path, content: bytes | str) -> None:
    """Write a file under a temporary name, then rename it; a killed run leaves the old content."""
    data = content.encode() if isinstance(content, str) else content
    make_folder(target.parent)
    with storage_errors(target):
        handle, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
        work = Path(name)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
            work.chmod(0o644)
            work.replace(target)
        except BaseException:
            work.unlink(missing_ok=True)
            raise
