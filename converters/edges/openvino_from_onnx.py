"""ONNX to OpenVINO's own format."""

from __future__ import annotations

from pathlib import Path

from toolkit.core import Artifact, Format, Precision, Signature
from toolkit.formats.parts.openvino_model import read_model

from ..base import Converter, Node, Recipe
from ..onnx import read_model as read_onnx
from ..openvino import save_model


class OpenvinoFromOnnx(Converter):
    """The graph as it is, weights in float32.

    From ONNX and not from torch, because the direct way loses names and can free every dimension.
    """

    name = "openvino_from_onnx"
    source = Node(Format.ONNX, Precision.FP32)
    target = Node(Format.OPENVINO, Precision.FP32)
    extra = "convert"
    distributions = ("openvino", "onnx")

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:  # noqa: ARG002
        read_onnx(source.model_file)
        save_model(read_model(source.model_file), target, source)
        return None
