"""A SavedModel to ONNX, by tf2onnx."""

from __future__ import annotations

from pathlib import Path

from toolkit.core import Artifact, Format, Precision, Signature

from ..base import Converter, Node, Recipe
from ..tensorflow import from_savedmodel, write_onnx


class OnnxFromSavedmodel(Converter):
    """The network as a TensorFlow function becomes an ONNX graph with the signature's names; its free dimensions stay free."""

    name = "onnx_from_savedmodel"
    source = Node(Format.SAVEDMODEL, Precision.FP32)
    target = Node(Format.ONNX, Precision.FP32)
    extra = "convert"
    distributions = ("tensorflow", "tf2onnx", "onnx")
    settings = {"opset": 18}  # noqa: RUF012 - a mapping that nobody changes, declared in the base class

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:  # noqa: ARG002
        signature = source.manifest.signature
        write_onnx(from_savedmodel(source.model_file, signature), signature, target, opset=int(self.settings["opset"]))
        return None
