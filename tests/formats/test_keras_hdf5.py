"""HDF5 files of Keras that somebody else made: what they may hold, read without Keras."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from toolkit.core import ArtifactError, Format
from toolkit.formats import find_format, format_of
from toolkit.formats.parts import keras_hdf5

ABOUT = find_format(Format.KERAS)
CONFIG = {"class_name": "Sequential", "config": {"layers": [{"class_name": "Dense", "config": {}}]}}


def written(file: Path, config: object = None, also: Callable[[Any], object] | None = None) -> Path:
    h5py = pytest.importorskip("h5py", reason="the extra [tensorflow] is not installed")
    with h5py.File(file, "w") as content:
        content.attrs["model_config"] = json.dumps(CONFIG) if config is None else config
        content.create_group("model_weights").create_dataset("kernel", data=[1.0])
        if also is not None:
            also(content)
    return file


@pytest.mark.parametrize("name", ["net.h5", "NET.HDF5", "net.keras"])
def test_what_is_in_a_file_tells_what_it_is_whatever_its_name(tmp_path: Path, name: str) -> None:
    file = written(tmp_path / name)
    assert format_of(file) is Format.KERAS
    ABOUT.check(file)
    assert ABOUT.operators(file).by_type == {"Dense": 1}


def test_a_description_may_be_bytes_as_old_versions_wrote_it(tmp_path: Path) -> None:
    assert ABOUT.operators(written(tmp_path / "net.h5", json.dumps(CONFIG).encode())).total == 1


def test_inputs_are_not_looked_up_in_a_process_that_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path / "net.h5")
    monkeypatch.setattr("toolkit.formats.keras.described", None)
    assert ABOUT.input_names(file) is None


def outside(content: Any) -> None:
    import h5py

    content["model_weights"]["bias"] = h5py.ExternalLink("/etc/passwd", "/")


def raw(content: Any) -> None:
    content["model_weights"].create_dataset("bias", shape=(4,), dtype="u1", external=[("/etc/passwd", 0, 4)])


def soft(content: Any) -> None:
    import h5py

    content["model_weights"]["bias"] = h5py.SoftLink("/elsewhere")


def virtual(content: Any) -> None:
    import h5py

    layout = h5py.VirtualLayout(shape=(4,), dtype="f4")
    layout[:] = h5py.VirtualSource("/tmp/other.h5", "data", shape=(4,))
    content["model_weights"].create_virtual_dataset("bias", layout)


@pytest.mark.parametrize("also", [outside, raw, soft, virtual])
def test_weights_in_another_file_are_refused(tmp_path: Path, also: Callable[[Any], object]) -> None:
    with pytest.raises(ArtifactError, match=r"net\.h5' is refused: expected weights in the file itself, got 'bias', which is in another"):
        ABOUT.check(written(tmp_path / "net.h5", also=also))


def test_what_is_no_description_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ArtifactError, match=r"net\.h5' cannot be read: expected a complete file in the format Keras"):
        ABOUT.check(written(tmp_path / "net.h5", "no JSON"))
    with pytest.raises(ArtifactError, match=r"net\.h5' holds no weights"):
        ABOUT.check(written(tmp_path / "net.h5", also=lambda content: content.pop("model_weights")))
    monkeypatch.setattr(keras_hdf5, "MOST_BYTES", 20)
    with pytest.raises(ArtifactError, match=r"net\.h5' is refused: expected a network described in at most 20 bytes"):
        ABOUT.check(written(tmp_path / "net.h5"))
