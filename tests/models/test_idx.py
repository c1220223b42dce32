from __future__ import annotations

import contextlib
import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from toolkit.core import DataError
from toolkit.models.data._idx import checked_idx, decode_idx, encode_idx, read_idx

bytes_arrays = arrays.arrays(np.uint8, arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))


@given(bytes_arrays)
def test_round_trip(array: np.ndarray) -> None:
    decoded = decode_idx(encode_idx(array), where="test")
    assert decoded.shape == array.shape
    np.testing.assert_array_equal(decoded, array)


@given(bytes_arrays, st.data())
def test_any_other_length_is_refused(array: np.ndarray, data: st.DataObject) -> None:
    content = encode_idx(array)
    cut = data.draw(st.integers(0, len(content) - 1))
    for damaged in (content[:cut], content + b"\0"):
        with pytest.raises(DataError, match="'here' is"):
            decode_idx(damaged, where="here")


@given(st.binary(max_size=40))
def test_any_bytes_are_an_array_or_refused(content: bytes) -> None:
    with contextlib.suppress(DataError):
        assert encode_idx(decode_idx(content, where="here")) == content


def test_known_header() -> None:
    """The first bytes of MNIST's test images: 10,000 of 28 x 28."""
    assert encode_idx(np.zeros((10_000, 28, 28), np.uint8))[:16].hex() == "00000803000027100000001c0000001c"


@pytest.mark.parametrize("start", ["00000d03", "01000803", "89504e47"])
def test_other_types_and_files_are_refused(start: str) -> None:
    with pytest.raises(DataError, match=f"no idx file of bytes: expected a start of 000008.., got {start}"):
        decode_idx(bytes.fromhex(start) + bytes(20), where="x")


def written(folder: Path, content: bytes, name: str = "a") -> Path:
    file = folder / name
    file.write_bytes(content)
    return file


def test_plain_and_gzipped_files_are_the_same(tmp_path: Path) -> None:
    array = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
    content = encode_idx(array)
    digest = hashlib.sha256(content).hexdigest()
    for file in (written(tmp_path, content), written(tmp_path, gzip.compress(content), "a.gz")):
        np.testing.assert_array_equal(read_idx(file, sha256=digest, limit=len(content)), array)


def test_damaged_files_are_refused_in_one_line(tmp_path: Path) -> None:
    content = encode_idx(np.arange(60, dtype=np.uint8))
    digest = hashlib.sha256(content).hexdigest()
    zipped = gzip.compress(content)
    damaged = {
        "cut.gz": (zipped[:-9], "cannot be unzipped"),
        "flipped.gz": (zipped[:20] + bytes([zipped[20] ^ 1]) + zipped[21:], "unzipped|another|published|damaged|no idx"),
        "text.gz": (b"not found", "no idx file"),
        "empty": (b"", "no idx file of bytes: .* got 0 bytes"),
        "cut": (content[:-1], "cut short or damaged: expected 68 bytes, got 67 bytes"),
        "changed": (content[:-1] + b"\0", "not the file that was published"),
        "bomb.gz": (gzip.compress(content + bytes(10**6)), "cut short or damaged: expected 68 bytes, got 69 bytes"),
    }
    for name, (bad, message) in damaged.items():
        with pytest.raises(DataError, match=message) as caught:
            read_idx(written(tmp_path, bad, name), sha256=digest, limit=len(content))
        assert "\n" not in str(caught.value)
        assert name in str(caught.value)


def test_no_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for place in (tmp_path / "nothing", tmp_path):
        with pytest.raises(DataError, match="cannot be read"):
            read_idx(place, sha256="", limit=10)


def test_checked_idx_names_both_hashes() -> None:
    with pytest.raises(DataError, match=r"expected SHA-256 00000000\S* unzipped, got [0-9a-f]{12}"):
        checked_idx(encode_idx(np.zeros(3, np.uint8)), where="x", sha256="0" * 64, limit=100)
