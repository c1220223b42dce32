"""TensorFlow itself: runs SavedModels, as the reference of what is converted from them."""

from __future__ import annotations

from toolkit.core import Format, Signature
from toolkit.core.free_sizes import name_sizes
from toolkit.formats.savedmodel import check_savedmodel, serving_name

from ._quiet import quiet
from ._tensorflow import TensorFlowRuntime, TensorFlowSession, declared, set_threads
from .base import OpenRequest, Session


class SavedModel(TensorFlowRuntime):
    """The serving function of a SavedModel."""

    name = "savedmodel"
    formats = frozenset({Format.SAVEDMODEL})
    distribution = "tensorflow"
    module = "tensorflow"

    def _open(self, request: OpenRequest) -> Session:
        check_savedmodel(request.file)
        with quiet():
            import tensorflow as tf

            set_threads(request.threads)
            loaded = tf.saved_model.load(str(request.file.parent))
            name = serving_name(tuple(loaded.signatures), request.file)
            serving = loaded.signatures[name]
        inputs = {key: declared(key, tensor, request) for key, tensor in sorted(serving.structured_input_signature[1].items())}
        outputs = {key: declared(key, tensor, request) for key, tensor in sorted(serving.structured_outputs.items())}
        signature = request.signature or Signature(*name_sizes([*inputs.values()], [*outputs.values()]))

        def run(*arrays: object) -> list[object]:
            given = {spec.name: tf.constant(array) for spec, array in zip(signature.inputs, arrays, strict=True)}
            # Through what was loaded: its functions do not keep its variables alive.
            found = loaded.signatures[name](**given)
            return [found[spec.name].numpy() for spec in signature.outputs]

        return TensorFlowSession(run, signature, request, self)
