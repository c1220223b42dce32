"""Samples: hashes, overlap, files, and what does not fit a signature."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from toolkit.core import DataError, Samples, Signature, TensorSpec, check_names, noise, samples

SIGNATURE = Signature((TensorSpec("image", "float32", ("batch", 2)),), ())


def some(rows: int = 4, start: int = 0) -> Samples:
    return Samples({"image": np.arange(start, start + 2 * rows, dtype=np.float32).reshape(rows, 2)}, np.arange(rows), "some")


@given(arrays(np.float32, st.tuples(st.integers(1, 9), st.integers(1, 3)), elements=st.floats(-4, 4, width=32)))
def test_the_hash_is_of_the_content(array: np.ndarray) -> None:
    assert Samples({"x": array}).sha256 == Samples({"x": np.asfortranarray(array)}).sha256
    assert Samples({"x": array}).sha256 != Samples({"x": array + 1}).sha256
    assert Samples({"x": array}).sha256 != Samples({"y": array}).sha256


def test_overlap_is_removed() -> None:
    left = some(4).without(some(2, start=4))
    assert left.inputs["image"].tolist() == [[0, 1], [2, 3]]
    assert left.targets is not None
    assert left.targets.tolist() == [0, 1]


def test_files_round_trip(tmp_path: Path) -> None:
    some().save(tmp_path / "s.npz")
    assert Samples.load(tmp_path / "s.npz").sha256 == some().sha256
    np.save(tmp_path / "one.npy", some().inputs["image"])
    assert list(Samples.load(tmp_path / "one.npy").fit(SIGNATURE).inputs) == ["image"]


@pytest.mark.parametrize("content", [b"", b"no array", b"PK\x03\x04 broken zip", b"\x93NUMPY"])
def test_a_broken_file_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(DataError) as caught:
        Samples.load(tmp_path / "x.npz")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "it is a JPEG image"),
        (b"\x89PNG\r\n\x1a\n", "it is a PNG image"),
        (b"\x89HDF\r\n\x1a\n", "it is an HDF5 file"),
        (b"junk that somebody called .npz", "it does not begin as one"),
        (pickle.dumps([1, 2]), "it is a pickle"),
    ],
)
def test_what_is_no_file_of_arrays_is_called_what_it_is(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(DataError, match=f"cannot be read as NumPy arrays: {told}: expected a .npz or .npy file"):
        Samples.load(tmp_path / "x.npz")


def test_a_pickle_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([object()]), allow_pickle=True)
    with pytest.raises(DataError, match="without pickles"):
        Samples.load(tmp_path / "x.npy")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((0, 2), np.float32), "are empty"),
        (np.zeros((3, 5), np.float32), r"expected image:float32\[batch,2\], got float32\[3,5\]"),
        (np.zeros((3, 2), np.float16), "got float16"),
        (np.full((3, 2), np.nan, np.float32), "NaN or infinity"),
        (np.float32(3), r"got float32\[\]"),
    ],
)
def test_what_does_not_fit(array: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Samples({"image": array}, origin="x").fit(SIGNATURE)


def test_a_damaged_member_is_one_line(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", image=np.random.default_rng(0).random((50, 2), dtype=np.float32))
    content = bytearray((tmp_path / "x.npz").read_bytes())
    content[200:260] = b"\xff" * 60
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(DataError, match="cannot be read") as caught:
        Samples.load(tmp_path / "x.npz")
    assert len(str(caught.value).splitlines()) == 1


def test_labels_that_are_no_label_a_row() -> None:
    for targets in (np.arange(3), np.array(1)):
        with pytest.raises(DataError, match="'targets': "):
            Samples(some().inputs, targets).fit(SIGNATURE)


def test_wrong_names_and_lengths() -> None:
    two = Signature((TensorSpec("a", "float32", ("batch",)), TensorSpec("b", "float32", ("batch",))), ())
    with pytest.raises(DataError, match="expected a, b, got image"):
        some().fit(two)
    with pytest.raises(DataError, match="as many rows in every input"):
        Samples({"a": np.zeros(2, np.float32), "b": np.zeros(3, np.float32)}).fit(two)


def test_a_member_that_is_no_array_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("x", b"text")
    with pytest.raises(DataError, match="its member 'x' is no array"):
        Samples.load(tmp_path / "x.npz")


def test_little_in_the_file_and_much_in_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (4194304,)}"
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(2**24))
    assert len(Samples.load(tmp_path / "x.npz")) == 2**22
    monkeypatch.setattr(samples, "available_memory", lambda: 2**20)
    with pytest.raises(DataError, match=r"it unpacks to 0\.0 GiB, and 0\.0 GiB of memory are free"):
        Samples.load(tmp_path / "x.npz")


def test_drawn_inputs_that_would_not_fit_into_memory_are_refused() -> None:
    wide = Signature((TensorSpec("z", "float32", ("batch", 2**39)),), (TensorSpec("y", "float32", ("batch", 1)),))
    with pytest.raises(DataError, match="do not fit into memory"):
        noise(wide, 2000, classes=1, seed=0)


@pytest.mark.parametrize("name", ["file", "allow_pickle", "a/b"])
def test_an_input_may_have_any_name(tmp_path: Path, name: str) -> None:
    Samples({name: np.ones((2, 3), np.float32)}).save(tmp_path / "x.npz")
    assert list(Samples.load(tmp_path / "x.npz").inputs) == [name]


@pytest.mark.parametrize("name", ["targets", "target", "labels", "y"])
def test_targets_have_several_names(tmp_path: Path, name: str) -> None:
    arrays: dict[str, Any] = {name: np.arange(4)}
    np.savez(tmp_path / "s.npz", image=some().inputs["image"], **arrays)
    found = Samples.load(tmp_path / "s.npz").fit(SIGNATURE)
    assert found.targets is not None
    assert found.targets.tolist() == [0, 1, 2, 3]
    assert found.notes == (() if name == "targets" else (f"'{name}' holds the targets",))
    assert found.fit(SIGNATURE).notes == found.rows(slice(2)).notes == found.notes, "said once, and not lost"
    check_names(tmp_path / "s.npz", ["image"])


@pytest.mark.parametrize("name", ["y", "targets"])
def test_an_input_with_a_name_of_targets_is_an_input(tmp_path: Path, name: str) -> None:
    both = Signature((*SIGNATURE.inputs, TensorSpec(name, "int64", ("batch",))), ())
    arrays: dict[str, Any] = {name: np.arange(4)}
    np.savez(tmp_path / "s.npz", image=some().inputs["image"], labels=np.arange(4) + 1, **arrays)
    found = Samples.load(tmp_path / "s.npz").fit(both)
    assert found.inputs[name].tolist() == [0, 1, 2, 3]
    assert found.targets is not None
    assert found.targets.tolist() == [1, 2, 3, 4]


def test_float64_becomes_float32_and_that_is_said() -> None:
    found = Samples({"x": np.array([[0.1, 1 / 3]])}).fit(SIGNATURE)
    assert found.inputs["image"].dtype == np.float32
    assert found.inputs["image"].tolist() == np.array([[0.1, 1 / 3]], np.float32).tolist()
    assert found.notes == ("input 'image' was cast from float64 to float32",)
    with pytest.raises(DataError, match="NaN or infinity"):
        Samples({"x": np.array([[0.0, 1e300]])}).fit(SIGNATURE)
    with pytest.raises(DataError, match="got int64"):
        Samples({"x": np.zeros((1, 2), np.int64)}).fit(SIGNATURE)


@pytest.mark.parametrize(
    ("arrays", "line"),
    [
        (["img", "lbl"], "wrong inputs: expected image, got img, lbl; name the arrays after the inputs, and the true labels targets"),
        (["image", "y", "labels"], "several targets: expected one of them, got y, labels"),
        (["targets"], "wrong inputs: expected image, got none"),
    ],
)
def test_wrong_names_are_told_without_reading_an_array(tmp_path: Path, arrays: list[str], line: str) -> None:
    with zipfile.ZipFile(tmp_path / "s.npz", "w") as archive:
        for name in arrays:
            archive.writestr(f"{name}.npy", b"no array")
    with pytest.raises(DataError, match=line):
        check_names(tmp_path / "s.npz", ["image"])
    with pytest.raises(DataError, match=line):
        Samples({name: np.zeros(3) for name in arrays if name != "targets"}, np.zeros(3) if "targets" in arrays else None).fit(SIGNATURE)
