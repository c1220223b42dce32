"""Keras on TensorFlow: runs ``.keras`` files, as the reference of what is converted from them. Code inside a file is refused."""

from __future__ import annotations

import os
from typing import Any

from toolkit.core import EngineError, Format, Signature

from ._quiet import quiet
from ._tensorflow import TensorFlowRuntime, TensorFlowSession, set_threads, spec_of
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

    def _open(self, request: OpenRequest) -> Session:
        with quiet():
            self.import_engine()
            import keras
            import tensorflow as tf

            set_threads(request.threads)
            model = keras.saving.load_model(request.file, compile=False, safe_mode=True)
            if not getattr(model, "inputs", None):
                raise EngineError(
                    f"'{request.file}' has no inputs", expected="a functional or sequential network, built", got=type(model).__name__
                )
            struct = model.inputs[0] if isinstance(model, keras.Sequential) else model.input
            result = model.outputs[0] if isinstance(model, keras.Sequential) else model.output
        inputs = [spec_of(name, tensor, request) for name, tensor in _named(model.inputs, struct)]
        outputs = [spec_of(name, tensor, request) for name, tensor in _named(model.outputs, result, [spec.name for spec in inputs])]

        def call(*arrays: Any) -> Any:
            return keras.tree.flatten(model(keras.tree.pack_sequence_as(struct, list(arrays)), training=False))

        specs = [tf.TensorSpec([size if isinstance(size, int) else None for size in spec.shape], spec.dtype) for spec in inputs]
        function = tf.function(call, input_signature=specs)
        return TensorFlowSession(
            lambda *arrays: [value.numpy() for value in function(*arrays)], Signature(tuple(inputs), tuple(outputs)), request, self
        )


def _named(tensors: Any, struct: Any, taken: Any = ()) -> list[tuple[str, Any]]:
    """Each tensor with its key in a dictionary, else the name of the layer it comes from; with ``_out`` behind it where that is taken."""
    keys = (
        sorted(struct) if isinstance(struct, dict) and len(struct) == len(tensors) else [t._keras_history.operation.name for t in tensors]
    )
    names: list[str] = list(taken)
    for key in keys:
        name = key
        while name in names:
            name += "_out"
        names.append(name)
    return list(zip(names[len(taken) :], tensors, strict=True))
