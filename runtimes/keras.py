"""Keras on TensorFlow: runs ``.keras`` files, as the reference of what is converted from them, and makes them of networks in HDF5. Code
inside a file is refused.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from toolkit.core import EngineError, Format, Signature
from toolkit.core.free_sizes import name_sizes
from toolkit.formats.parts.keras_hdf5 import is_hdf5

from ._keras_hdf5 import keras_from_hdf5
from ._quiet import quiet
from ._tensorflow import TensorFlowRuntime, TensorFlowSession, declared, set_threads
from .base import OpenRequest, Session


class Keras(TensorFlowRuntime):
    """A functional or sequential network."""

    name = "keras"
    formats = frozenset({Format.KERAS})
    distribution = "keras"
    module = "keras"

    def import_engine(self) -> None:
        """Import Keras with TensorFlow below it."""
        os.environ["KERAS_BACKEND"] = "tensorflow"
        super().import_engine()

    def renewed(self, file: Path, folder: Path) -> Path:
        """HDF5, as Keras wrote networks before there were ``.keras`` files, becomes one."""
        if not is_hdf5(file):
            return file
        made = folder / Format.KERAS.file_name
        with quiet():
            self.import_engine()
            keras_from_hdf5(file, made)
        return made

    def _open(self, request: OpenRequest) -> Session:
        with quiet(), tempfile.TemporaryDirectory(prefix="toolkit-") as folder:
            self.import_engine()
            import keras
            import tensorflow as tf

            set_threads(request.threads)
            model = keras.saving.load_model(self.renewed(request.file, Path(folder)), compile=False, safe_mode=True)
            if not getattr(model, "inputs", None):
                raise EngineError(
                    f"'{request.file}' has no inputs", expected="a functional or sequential network, built", got=type(model).__name__
                )
            struct = model.inputs[0] if isinstance(model, keras.Sequential) else model.input
            result = model.outputs[0] if isinstance(model, keras.Sequential) else model.output
        ports = [declared(name, tensor, request) for name, tensor in _named(struct).items()]
        # The batch of Keras is one for all inputs.
        ports = [replace(port, shape=("batch", *port.shape[1:])) if port.shape[:1] == (None,) else port for port in ports]
        inputs, outputs = name_sizes(
            ports, [declared(name, tensor, request) for name, tensor in _named(result, [port.name for port in ports]).items()]
        )

        def call(*arrays: Any) -> Any:
            return keras.tree.flatten(model(keras.tree.pack_sequence_as(struct, list(arrays)), training=False))

        specs = [tf.TensorSpec([size if isinstance(size, int) else None for size in spec.shape], spec.dtype) for spec in inputs]
        function = tf.function(call, input_signature=specs)
        return TensorFlowSession(lambda *arrays: [value.numpy() for value in function(*arrays)], Signature(inputs, outputs), request, self)


def _named(struct: Any, taken: Sequence[str] = ()) -> dict[str, Any]:
    """The tensors of nested dictionaries, tuples and lists by dotted keys, in Keras's order; a key-less one has the name of its layer.

    A name that is taken gets ``_out`` behind it.
    """
    names: dict[str, Any] = {}
    for path, tensor in _paths(struct):
        name = path or tensor._keras_history.operation.name
        while name in names or name in taken:
            name += "_out"
        names[name] = tensor
    return names


def _paths(struct: Any, path: str = "") -> list[tuple[str, Any]]:
    """Each tensor with its dotted keys; empty for one that is alone, or in a plain list."""
    if isinstance(struct, dict):
        return [found for key in sorted(struct) for found in _paths(struct[key], f"{path}.{key}" if path else str(key))]
    if isinstance(struct, list | tuple):
        return [found for index, item in enumerate(struct) for found in _paths(item, f"{path}.{index}" if path else "")]
    return [(path, struct)]
