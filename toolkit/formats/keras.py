"""Keras: a zip archive with the network as JSON and its weights, or HDF5 with both, as before Keras 3. Keras is not needed."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from toolkit.core import ArtifactError, Format, Operators, decode_json

from .base import FileFormat, Start
from .parts.keras_hdf5 import MOST_BYTES, SUFFIXES, described, is_hdf5

_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"


class Keras(FileFormat):
    """What ``model.save("model.keras")`` writes, and ``model.save("model.h5")``: an artifact holds the former, its engine makes it."""

    format = Format.KERAS
    title = "Keras"
    suffixes = (".keras", *SUFFIXES)
    default_engine = "keras"
    extra = "tensorflow"
    start = Start(order=2, reference="keras")

    def _check(self, file: Path) -> None:
        _config(file)
        if is_hdf5(file):
            return
        with zipfile.ZipFile(file) as archive:
            if _WEIGHTS not in archive.namelist():
                raise ArtifactError(f"'{file}' holds no weights", expected="a file written by model.save", got=_members(archive))
            for member in archive.infolist():
                archive.open(member).close()  # Its own header says the same of it as the directory.

    def _input_names(self, file: Path) -> tuple[str, ...] | None:
        """Those of a sequential network, and of a functional one whose inputs are one, a list or a dictionary by name, without depth.

        None in HDF5, whose library opens no stranger's file in a process that goes on.
        """
        if is_hdf5(file):
            return None
        whole = _config(file)
        config = whole["config"]
        if whole["class_name"] == "Sequential":
            start = config["layers"][0]
            return (start["config"]["name"],) if start["class_name"] == "InputLayer" else None
        inputs = config["input_layers"]
        if isinstance(inputs, dict):
            return tuple(sorted(inputs)) if all(map(_is_layer, inputs.values())) else None
        layers = [inputs] if _is_layer(inputs) else inputs
        return tuple(layer[0] for layer in layers) if all(map(_is_layer, layers)) else None

    def _operators(self, file: Path) -> Operators:
        """Every layer by its class, those of networks inside it too; none is quantized, the file is a float network."""
        types = Counter(_layers(_config(file)))
        return Operators(sum(types.values()), 0, dict(sorted(types.items())))


def _config(file: Path) -> Any:
    if is_hdf5(file):
        return described(file).config
    if file.suffix.lower() in SUFFIXES:
        raise ArtifactError(f"'{file}' is no HDF5 file", expected="a file written by model.save", hint="download or save it again")
    with zipfile.ZipFile(file) as archive:
        if _CONFIG not in archive.namelist():
            raise ArtifactError(f"'{file}' holds no Keras network", expected="a file written by model.save", got=_members(archive))
        size = archive.getinfo(_CONFIG).file_size
        if size > MOST_BYTES:
            raise ArtifactError(f"'{file}' is refused", expected=f"a network described in at most {MOST_BYTES} bytes", got=f"{size} bytes")
        return decode_json(archive.read(_CONFIG), dict[str, Any])


def _members(archive: zipfile.ZipFile) -> str:
    return ", ".join(archive.namelist()[:3]) or "no files"


def _layers(config: Any) -> Iterator[str]:
    inner = config.get("config", {}) if isinstance(config, dict) else {}
    layers = inner.get("layers") if isinstance(inner, dict) else None
    if layers is None:
        yield str(config["class_name"])
        return
    for layer in layers:
        yield from _layers(layer)


def _is_layer(place: Any) -> bool:
    """Whether this names a layer's output, ``["image", 0, 0]``."""
    return isinstance(place, list) and bool(place) and isinstance(place[0], str)
