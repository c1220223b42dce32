"""A TF Lite file to ONNX, by tf2onnx's reader of it."""

from __future__ import annotations

from pathlib import Path

from toolkit.core import Artifact, Format, Precision, Signature
from toolkit.formats.tflite import check_tflite

from ..base import Converter, Node, Recipe
from ..onnx import read_model, write_model
from ..onnx_prelu import spell_out_prelu
from ..tensorflow import onnx_of_tflite


class OnnxFromTflite(Converter):
    """The graph of the file's first signature; images keep their order of axes."""

    name = "onnx_from_tflite"
    source = Node(Format.TFLITE, Precision.FP32)
    target = Node(Format.ONNX, Precision.FP32)
    extra = "convert"
    distributions = ("tensorflow", "tf2onnx", "onnx")
    settings = {"opset": 18, "prelu": "spelled out"}  # noqa: RUF012 - a mapping that nobody changes, declared in the base class
    fallback = True

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:  # noqa: ARG002
        check_tflite(source.model_file)
        onnx_of_tflite(source.model_file, source.manifest.signature, target, opset=int(self.settings["opset"]))
        model = read_model(target)
        spell_out_prelu(model.graph)
        write_model(model, target)
        return None


class OnnxFromTfliteInt8Dynamic(OnnxFromTflite):
    """Weights stay in integers, each behind a DequantizeLinear; what TF Lite rounds at run time is computed in float."""

    name = "onnx_from_tflite_int8_dynamic"
    source = Node(Format.TFLITE, Precision.INT8_DYNAMIC)
    target = Node(Format.ONNX, Precision.INT8_WEIGHTS)
