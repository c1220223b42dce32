"""ncnn in half precision."""

from __future__ import annotations

from pathlib import Path

from toolkit.core import Artifact, Format, Precision, Signature

from ..base import Converter, Node, Recipe
from ..ncnn import write_ncnn


class NcnnFp16(Converter):
    """Weights stored in float16; a session computes in float32. From ONNX, because pnnx rounds while it writes."""

    name = "ncnn_fp16"
    source = Node(Format.ONNX, Precision.FP32)
    target = Node(Format.NCNN, Precision.FP16)
    extra = "ncnn"
    distributions = ("onnx", "pnnx", "ncnn")

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:  # noqa: ARG002
        return write_ncnn(source, target, half=True)
