"""A SavedModel to OpenVINO's own format, by OpenVINO's reader of TensorFlow."""

from __future__ import annotations

from pathlib import Path

from toolkit.core import Artifact, Format, Precision, Signature
from toolkit.formats.parts.openvino_model import read_model
from toolkit.formats.savedmodel import check_savedmodel

from ..base import Converter, Node, Recipe
from ..openvino import in_order, save_model


class OpenvinoFromSavedmodel(Converter):
    """The graph without a way through ONNX: for networks that tf2onnx cannot write, or writes wrongly."""

    name = "openvino_from_savedmodel"
    source = Node(Format.SAVEDMODEL, Precision.FP32)
    target = Node(Format.OPENVINO, Precision.FP32)
    extra = "convert"
    fallback = True
    distributions = ("openvino",)

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:  # noqa: ARG002
        check_savedmodel(source.model_file)
        save_model(in_order(read_model(source.model_file.parent), source.manifest.signature), target, source)
        return None
