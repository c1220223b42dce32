"""Files and folders appear whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from toolkit.core import StorageError, new_folder, sha256_of, storage_errors, write_file


def test_a_new_folder_appears_when_it_is_complete(tmp_path: Path) -> None:
    with new_folder(tmp_path / "deep" / "a") as work:
        (work / "x").write_text("1")
        assert not (tmp_path / "deep" / "a").exists()
    assert (tmp_path / "deep" / "a" / "x").read_text() == "1"
    assert os.listdir(tmp_path / "deep") == ["a"]


def test_a_failure_leaves_the_old_folder_and_no_trace(tmp_path: Path) -> None:
    with new_folder(tmp_path / "a") as work:
        (work / "x").write_text("old")
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "a") as work:
        (work / "x").write_text(str(1 // 0))
    assert (tmp_path / "a" / "x").read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


def test_a_folder_is_replaced(tmp_path: Path) -> None:
    for text in ("old", "new"):
        with new_folder(tmp_path / "a") as work:
            (work / text).write_text(text)
    assert os.listdir(tmp_path / "a") == ["new"]
    assert os.listdir(tmp_path) == ["a"]


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "sub" / "f"
    write_file(target, "old")
    write_file(target, b"new")
    assert target.read_bytes() == b"new"
    assert os.listdir(target.parent) == ["f"]


@pytest.mark.parametrize(("code", "hint"), [(errno.ENOSPC, "free some space"), (errno.EACCES, "choose another folder")])
def test_a_full_disk_and_a_closed_folder_are_one_clear_line(tmp_path: Path, code: int, hint: str) -> None:
    with pytest.raises(StorageError, match=hint), new_folder(tmp_path / "a"):
        raise OSError(code, os.strerror(code))
    assert os.listdir(tmp_path) == []


def test_a_really_full_disk() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full on this system")
    with pytest.raises(StorageError, match="No space left"), storage_errors(full), full.open("wb", buffering=0) as stream:
        stream.write(b"x")


def test_other_os_errors_are_not_hidden(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), storage_errors(tmp_path):
        (tmp_path / "nothing").read_bytes()


def test_sha256_known_answer(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert sha256_of(tmp_path / "f") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
