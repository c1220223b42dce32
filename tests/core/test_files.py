"""Files and folders appear whole or not at all."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from toolkit.core import StorageError, leftovers, new_folder, remove_leftover, sha256_of, size_of, storage_errors, write_file
from toolkit.core.files import is_inside, is_link, is_plain_name

LEADING_ELSEWHERE = ["", ".", "..", "/", "/etc/passwd", "../a", "a/../b", "a/./b", "a//b", "a/", "//host/share"]
LEADING_ELSEWHERE += ["C:/b", "C:b", "a\\b", "..\\a", "a\0b"]


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


def test_what_is_there_stays_when_it_is_not_to_be_replaced(tmp_path: Path) -> None:
    for text in ("first", "second"):
        with new_folder(tmp_path / "a", replace=False) as work:
            (work / text).write_text(text)
    assert os.listdir(tmp_path / "a") == ["first"]
    assert os.listdir(tmp_path) == ["a"]


def test_the_old_folder_comes_back_when_the_new_one_cannot_take_its_place(tmp_path: Path) -> None:
    with new_folder(tmp_path / "a") as work:
        (work / "x").write_text("old")

    def cut_short() -> None:
        with new_folder(tmp_path / "a") as work:
            # As between the two renames: the old content is out of the way, and there is nothing to put there.
            (tmp_path / "a").rename(work.parent / "old")
            work.rename(tmp_path / "lost")

    with pytest.raises(FileNotFoundError):
        cut_short()
    assert (tmp_path / "a" / "x").read_text() == "old"


@pytest.mark.parametrize("replace", [True, False])
def test_many_at_once_put_one_whole_folder_and_leave_no_trace(tmp_path: Path, replace: bool) -> None:
    barrier = threading.Barrier(8, timeout=20)

    def put(number: int) -> None:
        for _ in range(20):
            with new_folder(tmp_path / "a", replace=replace) as work:
                (work / "x").write_text(str(number))
                (work / "y").write_text(str(number))
                barrier.wait()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, range(8)))
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a" / "x").read_text() == (tmp_path / "a" / "y").read_text()


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "sub" / "f"
    write_file(target, "old")
    write_file(target, b"new")
    assert target.read_bytes() == b"new"
    assert os.listdir(target.parent) == ["f"]


def killed_inside(code: str, folder: Path) -> None:
    """Run code in a process that is killed at its end."""
    start = "import os, signal\nfrom pathlib import Path\nfrom toolkit.core import new_folder\n"
    end = "\n    os.kill(os.getpid(), signal.SIGKILL)"
    result = subprocess.run([sys.executable, "-c", start + code + end], cwd=folder, check=False)
    assert result.returncode == -signal.SIGKILL


def test_what_a_killed_process_left_goes_with_the_next_write_of_the_same_target(tmp_path: Path) -> None:
    for name in ("a", "a-b"):
        killed_inside(f"with new_folder(Path({name!r})) as work:\n    (work / 'x').write_text('half')", tmp_path)
    (left,) = (name for name in os.listdir(tmp_path) if not name.startswith(".a-b"))
    with new_folder(tmp_path / "a") as work:
        (work / "x").write_text("whole")
    names = os.listdir(tmp_path)
    assert left not in names
    assert len([name for name in names if name.startswith(".a-b-")]) == 1, "another target's"
    (tmp_path / left).write_text("half a file")  # As `write_file` is interrupted.
    write_file(tmp_path / "a.json", "whole")
    assert left in os.listdir(tmp_path), "another target's"
    (tmp_path / left).rename(tmp_path / left.replace(".a-", ".a.json-"))
    write_file(tmp_path / "a.json", "whole")
    assert sorted(name for name in os.listdir(tmp_path) if not name.startswith(".a-b-")) == ["a", "a.json"]


def test_the_old_folder_of_a_process_killed_between_the_renames_comes_back(tmp_path: Path) -> None:
    with new_folder(tmp_path / "a") as work:
        (work / "x").write_text("old")
    killed_inside("with new_folder(Path('a')) as work:\n    Path('a').rename(work.parent / 'old')", tmp_path)
    assert not (tmp_path / "a").exists()
    with new_folder(tmp_path / "a", replace=False):
        assert (tmp_path / "a" / "x").read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


def test_the_working_folder_of_a_live_process_stays(tmp_path: Path) -> None:
    code = "from pathlib import Path\nfrom toolkit.core import new_folder\nwith new_folder(Path('a')):\n    print(flush=True)\n    input()"
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        (live,) = os.listdir(tmp_path)
        os.utime(tmp_path / live, (0, 0))
        with new_folder(tmp_path / "a") as work:
            (work / "x").write_text("first")
        assert sorted(os.listdir(tmp_path)) == [live, "a"]
        child.communicate("\n")
    assert child.returncode == 0
    assert os.listdir(tmp_path) == ["a"]


def test_what_another_host_left_stays_for_a_day(tmp_path: Path) -> None:
    young, old = tmp_path / ".a-00000000-1-abcdefgh", tmp_path / ".a-00000000-2-abcdefgh"
    for folder in (young, old):
        folder.mkdir()
    os.utime(old, (time.time() - 90000,) * 2)
    write_file(tmp_path / "a", "")
    assert sorted(os.listdir(tmp_path)) == [young.name, "a"]


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


def test_a_link_named_like_a_leftover_moves_nothing_from_elsewhere(tmp_path: Path) -> None:
    precious = tmp_path / "home" / "old"
    precious.mkdir(parents=True)
    left = tmp_path / "net" / f".a-{'0' * 8}-1-abcdefgh"
    left.parent.mkdir()
    left.symlink_to(tmp_path / "home")
    os.utime(tmp_path / "home", (0, 0))
    with new_folder(tmp_path / "net" / "a"):
        assert precious.is_dir()
    assert precious.is_dir()
    assert os.listdir(tmp_path / "net") == ["a"]


def test_what_killed_processes_left_is_listed_and_removed_and_nothing_else(tmp_path: Path) -> None:
    killed_inside("with new_folder(Path('a')) as work:\n    (work / 'x').write_text('half')", tmp_path)
    killed_inside("with new_folder(Path('b')) as work:\n    Path('b').mkdir()\n    Path('b').rename(work.parent / 'old')", tmp_path)
    (tmp_path / ".a-notes").mkdir()
    (tmp_path / f".a-{'0' * 8}-1-abcdefgh").mkdir()
    (tmp_path / f".a-{'0' * 8}-1-abcdefgh" / "thesis").write_text("mine")
    os.utime(tmp_path / f".a-{'0' * 8}-1-abcdefgh", (0, 0))
    with new_folder(tmp_path / "c"):
        found = leftovers(tmp_path)
    assert sorted(path.name.partition("-")[0] for path in found) == [".a", ".b"]
    for path in found:
        remove_leftover(path)
    assert {path.name for path in tmp_path.iterdir()} == {".a-notes", f".a-{'0' * 8}-1-abcdefgh", "b", "c"}


def test_a_size_counts_files_and_not_what_links_lead_to(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "x").write_bytes(bytes(1000))
    (tmp_path / "a" / "y").write_bytes(bytes(10))
    (tmp_path / "a" / "z").symlink_to("y")
    assert size_of(tmp_path / "a") == 1010
    assert size_of(tmp_path / "a" / "y") == 10


@pytest.mark.parametrize("name", LEADING_ELSEWHERE)
def test_a_name_that_could_lead_elsewhere_is_not_plain(name: str, tmp_path: Path) -> None:
    assert not is_plain_name(name)
    assert not is_inside(name, tmp_path)


@given(st.lists(st.text(st.characters(exclude_characters="/\\:\0", exclude_categories=["Cs"]), min_size=1), min_size=1, max_size=4))
def test_a_plain_name_stays_below_its_folder_on_every_system(parts: list[str]) -> None:
    name = "/".join(parts)
    assume(is_plain_name(name))
    assert ".." not in parts
    assert PurePosixPath("/base", name).is_relative_to("/base")
    assert PureWindowsPath("C:/base", name).is_relative_to("C:/base")


@given(st.text(max_size=12))
def test_whatever_resolves_outside_is_not_inside(name: str) -> None:
    base = Path("/no-such-folder/base")
    if is_inside(name, base):
        assert os.path.normpath(f"{base}/{name}").startswith(f"{base}/")


def test_links_within_a_folder_are_followed_and_others_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "file").write_text("own")
    (tmp_path / "secret").write_text("another's")
    (tmp_path / "in" / "near").symlink_to("file")
    (tmp_path / "in" / "far").symlink_to(tmp_path / "secret")
    (tmp_path / "in" / "up").symlink_to(tmp_path)
    (tmp_path / "in" / "loop").symlink_to("loop")
    inside = {name: is_inside(name, tmp_path / "in") for name in ("file", "near", "far", "up/secret", "loop")}
    assert inside == {"file": True, "near": True, "far": False, "up/secret": False, "loop": False}


def test_a_hard_link_is_a_link(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("another's")
    (tmp_path / "alone").write_text("own")
    (tmp_path / "name").hardlink_to(tmp_path / "secret")
    assert [is_link(tmp_path / name) for name in ("alone", "name", "secret")] == [False, True, True]
    assert not is_link(tmp_path)  # A folder has as many names as it has subfolders.
