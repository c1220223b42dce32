"""What Keras 3 makes of a network in HDF5, the format that Keras 2 wrote."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from toolkit.core import EngineError, words_of
from toolkit.formats.parts.keras_hdf5 import Described, describe_anew, described

_RECURRENT = frozenset({"RNN", "SimpleRNN", "LSTM", "GRU", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"})
_IN_DEPTH = frozenset({"DepthwiseConv1D", "DepthwiseConv2D"})
_SAYS_NOTHING = (("time_major", False, _RECURRENT), ("groups", 1, _IN_DEPTH))
"""Arguments that Keras 2 wrote and Keras 3 refuses, the value with which they change nothing, and the layers that have them."""
_OTHERWISE = "hard_sigmoid"
"""The activation that is ``clip(0.2 * x + 0.5)`` in Keras 2 and ``clip(x / 6 + 0.5)`` in Keras 3."""
_EXPORT = "export it where its code is, with the Keras that wrote it, and convert that folder: tf.saved_model.save(model, 'folder')"


def keras_from_hdf5(file: Path, target: Path) -> None:
    """Write the network of a checked HDF5 file as a ``.keras`` file; no code in it is run.

    Raises:
        ArtifactError: it holds no whole network.
        EngineError: Keras 3 does not read it, or would compute something else.
    """
    import keras

    found = described(file)
    written = f"'{file.name}', which Keras {found.version} wrote," if found.version else f"'{file.name}'"
    if reason := _differs(found):
        raise EngineError(f"Keras {keras.__version__} computes {written} otherwise: {reason}", hint=_EXPORT)
    with tempfile.TemporaryDirectory(prefix="toolkit-") as folder:
        copy = Path(folder) / "model.h5"
        shutil.copyfile(file, copy)
        describe_anew(copy, msgspec.json.encode(_without_arguments(found.config)))
        try:
            keras.saving.load_model(copy, compile=False, safe_mode=True).save(target)
        except Exception as error:
            reason = words_of(error).partition(". ")[0]  # What follows is how to run the code in it all the same.
            raise EngineError(f"Keras {keras.__version__} does not read {written} in safe mode: {reason}", hint=_EXPORT) from error


def _differs(found: Described) -> str:
    """Why Keras 3 gives other outputs than the Keras that wrote the file; empty where it does not."""
    if found.backend == "theano":
        return "Theano turns the kernels of convolutions"
    if found.version.partition(".")[0] in {"", "1", "2"} and _OTHERWISE in _texts(found.config):
        return f"{_OTHERWISE} was max(0, min(1, x/5 + 1/2)), and is max(0, min(1, x/6 + 1/2))"
    return ""


def _without_arguments(value: Any) -> Any:
    """A part of a description without what says nothing."""
    if isinstance(value, list):
        return [_without_arguments(each) for each in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _without_arguments(each) for key, each in value.items()}
    config = kept.get("config")
    for name, default, owners in _SAYS_NOTHING:
        if isinstance(config, dict) and kept.get("class_name") in owners and config.get(name) == default:
            del config[name]
    return kept


def _texts(value: Any) -> Iterator[str]:
    """Every text in a description."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)
