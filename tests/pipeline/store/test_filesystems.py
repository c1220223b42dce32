"""What is fsspec's own: its file systems, the packages that they need, what they cannot do."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from tests.pipeline.store.conftest import Bundles
from toolkit.core import InputError, MissingDependencyError, StorageError, ToolkitError, TransferError, has_module
from toolkit.pipeline.store import pull, push
from toolkit.pipeline.store.filesystems import Filesystems


class Broken(MemoryFileSystem):
    """Raises `error` where a file is written, or where it takes its name."""

    protocol = "broken"
    error: Exception
    moves = False

    def _open(self, path: str, mode: str = "rb", **settings: Any) -> Any:
        if "w" in mode and not self.moves:
            raise self.error
        return super()._open(path, mode, **settings)

    def mv(self, path1: str, path2: str, **settings: Any) -> None:
        """As the class says."""
        raise self.error


@pytest.fixture(autouse=True)
def _memory() -> Iterator[None]:
    fsspec.register_implementation("broken", Broken, clobber=True)
    yield
    MemoryFileSystem.store.clear()


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), StorageError, "the store is full: got OSError: .*; free some space there"),
        (
            PermissionError(errno.EACCES, "Permission denied"),
            TransferError,
            "is not open to you: expected rights to it, got PermissionError",
        ),
        (FileNotFoundError("no bucket"), TransferError, "cannot be written: expected a folder or bucket that is there"),
        (NotImplementedError(), TransferError, "cannot be written: got broken:// takes no files; use another store"),
        (TimeoutError("too late"), TransferError, "cannot be reached: expected an answer, got TimeoutError: too late"),
        (RuntimeError("at https://h/x?k=hunter2"), TransferError, r"RuntimeError: at https://h/x\?\.\.\.; try again later"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
@pytest.mark.parametrize("moves", [False, True], ids=["writing", "naming"])
def test_what_a_store_refuses_is_one_line_and_leaves_nothing(
    bundles: Bundles, monkeypatch: pytest.MonkeyPatch, error: Exception, kind: type[ToolkitError], words: str, moves: bool
) -> None:
    monkeypatch.setattr(Broken, "error", error, raising=False)
    monkeypatch.setattr(Broken, "moves", moves)
    with pytest.raises(kind, match=f"^'broken://a/tiny.zip'.*{words}") as raised:
        push(bundles.plain, "broken://a/tiny.zip")
    assert "\n" not in str(raised.value)
    assert not MemoryFileSystem.store


def test_a_folder_is_no_address_of_a_file(bundles: Bundles, tmp_path: Path) -> None:
    for call in (lambda: push(bundles.plain, tmp_path.as_uri()), lambda: pull(tmp_path.as_uri())):
        with pytest.raises(InputError, match="is no file: expected the address of the file itself, got a directory"):
            call()
    with pytest.raises(TransferError, match="cannot be written: expected a folder or bucket that is there"):
        push(bundles.plain, f"{tmp_path.as_uri()}/nothing/tiny.zip")
    assert not [*tmp_path.iterdir()]


def test_the_name_here_is_that_of_the_address(bundles: Bundles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    push(bundles.plain, "memory://nets/tiny")
    assert pull("memory://nets/tiny").path == Path("tiny.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.zip"]


@pytest.mark.skipif(has_module("s3fs"), reason="s3fs is installed here")
def test_a_package_that_is_missing_is_named() -> None:
    with pytest.raises(MissingDependencyError, match=r"^'s3://' needs a package of its own; fsspec says: Install s3fs to access S3$"):
        pull("s3://bucket/tiny.zip")


def test_without_fsspec_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name == "fsspec" or name.startswith("fsspec.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fsspec", None)
    assert "s3" in Filesystems().schemes()
    with pytest.raises(MissingDependencyError, match=r"'fsspec.*' cannot be imported .*run: pip install .*\[hub\]"):
        pull("file:///x.zip")
