"""ONNX to ncnn."""

from __future__ import annotations

from pathlib import Path

from toolkit.core import Artifact, Format, Precision, Signature

from ..base import Converter, Node, Recipe
from ..ncnn import write_ncnn


class NcnnFromOnnx(Converter):
    """Weights in float32: pnnx would write float16 unasked. From ONNX and not from torch, because on the way over TorchScript pnnx 2026
    leaves out LSTMs.
    """

    name = "ncnn_from_onnx"
    source = Node(Format.ONNX, Precision.FP32)
    target = Node(Format.NCNN, Precision.FP32)
    extra = "ncnn"
    distributions = ("onnx", "pnnx", "ncnn")

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:  # noqa: ARG002
        return write_ncnn(source, target, half=False)
