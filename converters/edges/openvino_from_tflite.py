"""A TF Lite file to OpenVINO's own format, by OpenVINO's reader of TF Lite."""

from __future__ import annotations

import tempfile
from pathlib import Path

from toolkit.core import Artifact, ConversionError, Format, Precision, Signature
from toolkit.formats.parts.openvino_model import read_model
from toolkit.formats.tflite import check_tflite, read_graph

from ..base import Converter, Node, Recipe
from ..openvino import in_order, restore, save_model
from ..tflite import in_order_of_graph
from ..tflite_prepared import prepare_for_openvino


class OpenvinoFromTflite(Converter):
    """The graph of the file's first signature."""

    name = "openvino_from_tflite"
    source = Node(Format.TFLITE, Precision.FP32)
    target = Node(Format.OPENVINO, Precision.FP32)
    extra = "convert"
    fallback = True
    distributions = ("openvino", "ai-edge-quantizer", "ai-edge-litert")

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:  # noqa: ARG002
        check_tflite(source.model_file)
        if any(node.type == "VAR_HANDLE" for node in read_graph(source.model_file).nodes):
            raise ConversionError("the file keeps states in variables (VAR_HANDLE), which OpenVINO's reader of TF Lite does not have")
        with tempfile.TemporaryDirectory(dir=target.parent) as work:
            file = prepare_for_openvino(source.model_file, Path(work) / source.model_file.name)
            model = read_model(file, fold=not self.source.precision.is_quantized)
            restore(model, in_order_of_graph(source.model_file, source.manifest.signature))
            save_model(in_order(model, source.manifest.signature), target, source)
        return None


class OpenvinoFromTfliteInt8(OpenvinoFromTflite):
    """A file in integers stays in integers: OpenVINO keeps its quantized weights and the scales of its activations."""

    name = "openvino_from_tflite_int8"
    source = Node(Format.TFLITE, Precision.INT8)
    target = Node(Format.OPENVINO, Precision.INT8)


class OpenvinoFromTfliteInt8Dynamic(OpenvinoFromTflite):
    """OpenVINO has no ranges that are measured at run time: it keeps the weights in integers and computes in float with rounded values."""

    name = "openvino_from_tflite_int8_dynamic"
    source = Node(Format.TFLITE, Precision.INT8_DYNAMIC)
    target = Node(Format.OPENVINO, Precision.INT8_WEIGHTS)
