"""Arrays in files: picked, hashed, shared and measured as those in memory, without a copy of the whole."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.core import Samples, Signature, TensorSpec, cache_home, mapped
from toolkit.core.mapped import chunks, mapping_of, opened, place_of, rows_of

ROWS = 50


@pytest.fixture
def array(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Mapped, and so large for this test that no row may be picked into memory."""
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(mapped, "_IN_MEMORY_BYTES", 0)
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((ROWS, 3, 5), dtype=np.float32))
    found: np.ndarray = np.load(tmp_path / "x.npy", mmap_mode="r")
    return found


def spilled() -> list[Path]:
    return sorted((cache_home() / mapped.PREPARED).glob(".rows-*"))


@pytest.mark.parametrize("most", [1, 60, 61, 10**9])
def test_chunks_are_the_rows_in_order(array: np.ndarray, most: int) -> None:
    assert (np.concatenate(list(chunks(array, most_bytes=most))) == np.asarray(array)).all()
    assert list(chunks(np.array(3))) == [3]
    assert [part.shape for part in chunks(np.zeros((0, 4)))] == [(0, 4)]


@pytest.mark.parametrize(
    "index", [slice(3, 9), slice(None, None, 2), np.arange(5, 9), np.array([7, 2, 2, 40]), np.arange(ROWS) % 3 == 0, np.zeros(ROWS, bool)]
)
def test_rows_are_those_of_the_array_and_stay_in_a_file(array: np.ndarray, index: slice | np.ndarray) -> None:
    found = rows_of(array, index)
    assert found.dtype == array.dtype
    assert (np.asarray(found) == np.asarray(array)[index]).all()
    assert found.size == 0 or mapping_of(found) is not None


def test_picked_rows_are_gone_with_their_array(array: np.ndarray) -> None:
    found = rows_of(array, np.array([3, 1]))
    view = found[1:]
    assert len(spilled()) == 1
    del found
    gc.collect()
    assert (view == array[1]).all()
    assert len(spilled()) == 1
    del view
    gc.collect()
    assert spilled() == []


def test_picked_rows_that_a_killed_process_left_are_removed(array: np.ndarray) -> None:
    code = "import os; from toolkit.core.mapped import *; print(working_file(cache_home() / PREPARED / 'rows')); os._exit(1)"
    left = Path(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ).stdout.strip())
    assert left.exists()
    rows_of(array, np.array([3, 1]))
    assert not left.exists()


@settings(max_examples=15)
@given(st.integers(0, 20), st.integers(1, 20), st.sampled_from(["float32", "int64", "bool"]))
def test_a_part_of_a_file_is_found_again_by_its_place(tmp_path_factory: pytest.TempPathFactory, first: int, count: int, dtype: str) -> None:
    file = tmp_path_factory.mktemp("place") / "x.npy"
    np.save(file, (np.arange(40 * 700) % 251).reshape(40, 700).astype(dtype))
    part = np.load(file, mmap_mode="r")[first : first + count]
    place = place_of(part)
    assert place is not None
    assert (opened(place) == part).all()
    assert opened(place).shape == part.shape


def test_what_is_not_row_behind_row_has_no_place(array: np.ndarray) -> None:
    assert place_of(array[::2]) is None
    assert place_of(array.transpose(1, 0, 2)) is None
    assert place_of(np.zeros(3)) is None


def samples_of(array: np.ndarray) -> Samples:
    return Samples({"x": array, "k": np.arange(len(array))}, np.arange(len(array)) % 4, "mine", notes=("a note",))


def test_samples_in_files_are_those_in_memory(array: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped, "CHUNK_BYTES", 64)
    one, other = samples_of(array), samples_of(np.asarray(array).copy())
    assert one.sha256 == other.sha256
    assert one.row_keys() == other.row_keys()
    assert one.ranges == other.ranges
    pick = np.array([9, 4, 30])
    assert one.rows(pick).sha256 == other.rows(pick).sha256
    assert one.without(one.rows(pick)).sha256 == other.without(other.rows(pick)).sha256
    signature = Signature((TensorSpec("x", "float32", ("batch", 3, 5)), TensorSpec("k", "int64", ("batch",))), ())
    assert one.fit(signature).sha256 == other.sha256
    for number, each in enumerate((one, other, one.rows(slice(3, 7)), one.rows(slice(0)))):
        (folder := tmp_path / f"shared{number}").mkdir()
        each.share(folder)
        again = Samples.shared(folder)
        assert (again.sha256, again.origin, again.notes) == (each.sha256, "mine", ("a note",))
    assert len(list((tmp_path / "shared0").glob("*.npy"))) == 2, "what lies in a file is not written again"


def test_wide_numbers_in_files_are_cast_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(mapped, "_IN_MEMORY_BYTES", 0)
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((9, 2)))
    fitted = Samples({"x": np.load(tmp_path / "x.npy", mmap_mode="r")}).fit(Signature((TensorSpec("x", "float32", ("batch", 2)),), ()))
    assert mapping_of(fitted.inputs["x"]) is not None
    assert (fitted.inputs["x"] == np.load(tmp_path / "x.npy").astype(np.float32)).all()
    broken = np.lib.format.open_memmap(tmp_path / "nan.npy", "w+", np.float32, (9, 2))
    broken[7] = np.nan
    with pytest.raises(Exception, match="NaN or infinity in input 'x'"):
        Samples({"x": broken}).fit(Signature((TensorSpec("x", "float32", ("batch", 2)),), ()))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is resident")
def test_reading_all_of_a_file_holds_little_of_it(tmp_path: Path) -> None:
    """512 MiB that are hashed, measured, checked and divided stay below a quarter of that beyond what was held before."""
    code = """
import resource, sys, numpy as np
from toolkit.core import Samples, Signature, TensorSpec
from pathlib import Path
array = np.load(sys.argv[1], mmap_mode="r")
samples = Samples({"x": array})
def peak(): return int(next(l for l in open("/proc/self/status") if l.startswith("VmHWM")).split()[1])
before = peak()
samples = samples.fit(Signature((TensorSpec("x", "float32", ("batch", 1024, 1024)),), ()))
samples.sha256, samples.ranges, samples.row_keys()
part = samples.rows(np.arange(len(samples))[::-1])
(folder := Path(sys.argv[1]).parent / "shared").mkdir()
part.share(folder)
Samples.shared(folder).batch(slice(0, 2))
print(peak() - before)
"""
    file = tmp_path / "x.npy"
    np.lib.format.open_memmap(file, "w+", np.float32, (128, 1024, 1024)).flush()
    done = subprocess.run(
        [sys.executable, "-c", code, str(file)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TOOLKIT_CACHE": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 128 * 1024
