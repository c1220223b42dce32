"""A .keras file to ONNX, by tf2onnx."""

from __future__ import annotations

from pathlib import Path

from toolkit.core import Artifact, Format, Precision, Signature
from toolkit.formats import find_format

from ..base import Converter, Node, Recipe
from ..tensorflow import from_keras, write_onnx


class OnnxFromKeras(Converter):
    """The network as a TensorFlow function becomes an ONNX graph with the signature's names; its free dimensions stay free."""

    name = "onnx_from_keras"
    source = Node(Format.KERAS, Precision.FP32)
    target = Node(Format.ONNX, Precision.FP32)
    extra = "convert"
    distributions = ("tensorflow", "keras", "tf2onnx", "onnx")
    settings = {"opset": 18}  # noqa: RUF012 - a mapping that nobody changes, declared in the base class

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:  # noqa: ARG002
        signature = source.manifest.signature
        opset = int(self.settings["opset"])
        write_onnx(from_keras(source.model_file, signature), signature, target, opset=opset)
        if "Loop" in find_format(Format.ONNX).operators(target).by_type:
            # An LSTM becomes one operator, a GRU a loop, which OpenVINO cannot read and no quantizer enters.
            write_onnx(from_keras(source.model_file, signature, unroll=True), signature, target, opset=opset)
        return None
