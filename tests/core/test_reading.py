"""Files that may come from anyone: what is no file, too large or nested too deeply is refused at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from toolkit.core import decode_json, decode_toml, read_file, write_arrays


@pytest.mark.timeout(20)  # A pipe that is waited on is a failure, not a hang of the whole run.
def test_a_pipe_a_folder_and_a_device_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for path in (tmp_path / "pipe", tmp_path / "zero", tmp_path):
        with pytest.raises(OSError, match=r"not a regular file|Is a directory"):
            read_file(path)


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"12345")
    assert read_file(file, most=5) == b"12345"
    with pytest.raises(OSError, match="larger than"):
        read_file(file, most=4)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000, b'{"a": ' * 100_000, b'"\\ud800"', b'{"a": NaN}'])
def test_bad_json_is_one_kind_of_error(content: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_json(content, dict[str, object])


@pytest.fixture
def no_recursion_limit() -> Iterator[None]:
    """As onnx2tf leaves a process that it is imported into."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(2**31 - 1)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.usefixtures("no_recursion_limit")
@pytest.mark.parametrize("content", [b"[" * 1_000_000, b"[" * 100_000 + b"]" * 100_000, b'{"a": ' * 100_000, b'{"\\"": ' * 100_000])
def test_depth_does_not_hang_on_the_recursion_limit(content: bytes) -> None:
    with pytest.raises(msgspec.DecodeError, match="nested too deeply"):
        decode_json(content, object)


def test_brackets_in_strings_and_side_by_side_are_not_depth() -> None:
    value = ["[" * 1000, '\\"' + "{" * 1000, *([[]] * 1000), {"]": [[1]]}]
    assert decode_json(msgspec.json.encode(value), list[object]) == value


def test_toml() -> None:
    assert decode_toml(b"a = 1\n[b]\nc = ['x', 'y.z']", dict[str, object]) == {"a": 1, "b": {"c": ["x", "y.z"]}}
    many = ", ".join(f"'layer.{number}.weight'" for number in range(1000))
    assert len(decode_toml(f"names = [{many}]".encode(), dict[str, list[str]])["names"]) == 1000


@pytest.mark.parametrize(
    "content",
    [
        b"a", b"a = ", b"a = 1\na = 2", b"\xff", b"a = " + b"9" * 5000, b"a = " + b"[" * 100_000, b"a = " + b"[" * 501 + b"]" * 501,
        b"a = " + b"{a=" * 501 + b"1" + b"}" * 501, b"a" + b".a" * 100_000 + b" = 1", b"x = {a" + b" . 'a'" * 100_000 + b" = 1}",
        b"[a" + b".a" * 100_000 + b"]", b"a = 1",
    ],
)  # fmt: skip
@pytest.mark.usefixtures("no_recursion_limit")
def test_bad_toml_is_one_kind_of_error(content: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_toml(content, dict[str, str])


def test_arrays_may_have_any_name(tmp_path: Path) -> None:
    arrays: dict[str, np.ndarray] = {"file": np.arange(3), "allow_pickle": np.zeros((2, 2), np.float32), "a/b": np.ones(1), "": np.ones(())}
    write_arrays(tmp_path / "x.npz", arrays)
    with np.load(tmp_path / "x.npz", allow_pickle=False) as found:
        assert {name: found[name].tolist() for name in found.files} == {name: array.tolist() for name, array in arrays.items()}


def test_objects_are_not_pickled(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        write_arrays(tmp_path / "x.npz", {"x": np.array([{}])})
