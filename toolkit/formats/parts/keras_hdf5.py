"""A whole Keras network in HDF5, as Keras wrote it before there were ``.keras`` files: its description, read without Keras.

The HDF5 library opens a stranger's file here: only ever in a process of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.core import ArtifactError, decode_json, first_line

SUFFIXES = (".h5", ".hdf5")
MOST_BYTES = 64 * 2**20
"""Of the JSON that describes a network, here and in a ``.keras`` file."""
_MAGIC = b"\x89HDF\r\n\x1a\n"
_CONFIG, _WEIGHTS, _VERSION, _BACKEND = "model_config", "model_weights", "keras_version", "backend"


@dataclass(frozen=True)
class Described:
    """What such a file says of its network.

    Args:
        config: the network as Keras describes it, its class under ``class_name``.
        version: of the Keras that wrote it; empty where it does not say.
        backend: on which Keras ran; empty where it does not say.
    """

    config: dict[str, Any]
    version: str
    backend: str


def is_hdf5(file: Path) -> bool:
    """Whether a file is HDF5 by how it begins, whatever its name; the library is not needed."""
    with file.open("rb") as stream:
        return stream.read(len(_MAGIC)) == _MAGIC


def described(file: Path) -> Described:
    """What an HDF5 file says of its network; any exception means that it is damaged.

    Raises:
        ArtifactError: it holds weights without a network, or refers to other files.
    """
    import h5py

    try:
        opened = h5py.File(file, "r")
    except OSError as error:  # Whatever is wrong with it: one that the system cannot read has said so before.
        raise ArtifactError(
            f"'{file}' cannot be read", expected="a complete HDF5 file", got=first_line(error), hint="download or save it again"
        ) from error
    with opened as content:
        if _CONFIG not in content.attrs:
            raise ArtifactError(
                f"'{file.name}' holds weights, not a model",
                expected="a whole network, as model.save writes it",
                hint=f"load them where the network's code is: model.load_weights('{file.name}'); model.save('{file.stem}.keras')",
            )
        if not isinstance(content.get(_WEIGHTS), h5py.Group):
            raise ArtifactError(f"'{file}' holds no weights", expected="a file written by model.save", got=", ".join(content) or "nothing")
        if elsewhere := _elsewhere(content):
            raise ArtifactError(
                f"'{file}' is refused", expected="weights in the file itself", got=f"'{elsewhere}', which is in another file"
            )
        text = _text(content.attrs[_CONFIG])
        if len(text) > MOST_BYTES:
            raise ArtifactError(
                f"'{file}' is refused", expected=f"a network described in at most {MOST_BYTES} bytes", got=f"{len(text)} bytes"
            )
        return Described(
            decode_json(text.encode(), dict[str, Any]),
            _text(content.attrs.get(_VERSION, "")),
            _text(content.attrs.get(_BACKEND, "")),
        )


def describe_anew(file: Path, config: bytes) -> None:
    """Put another description, as JSON, into a file."""
    import h5py

    with h5py.File(file, "r+") as content:
        content.attrs[_CONFIG] = config.decode()


def _elsewhere(group: Any) -> str:
    """The first name in a group, and in those inside it, behind which another file stands; empty where there is none."""
    import h5py

    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            return str(name)  # A soft link names a place in the file, and Keras writes none.
        item = group[name]
        if isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
            return str(name)
        if isinstance(item, h5py.Group) and (found := _elsewhere(item)):
            return found
    return ""


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
