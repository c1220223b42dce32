"""ONNX in half precision."""

from __future__ import annotations

from pathlib import Path

from toolkit.core import Artifact, Format, Precision, Signature, without_telemetry

from ._onnx import read_model, write_model
from .base import Converter, Node, Recipe


class OnnxFp16(Converter):
    """Weights and computation in float16; inputs and outputs stay float32, with a cast at each border.

    Operators without a float16 kernel keep float32 by onnxruntime's own list. Weights beyond 65504, float16's largest number,
    are cut to it, and those below 6e-8 are raised to it.
    """

    name = "onnx_fp16"
    source = Node(Format.ONNX, Precision.FP32)
    target = Node(Format.ONNX, Precision.FP16)
    extra = "convert"
    distributions = ("onnx", "onnxruntime")
    settings = {"keep_io_types": True}  # noqa: RUF012 - declared as a read-only mapping in the base class

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:  # noqa: ARG002
        without_telemetry()
        from onnxruntime.transformers.float16 import convert_float_to_float16

        write_model(convert_float_to_float16(read_model(source.model_file), **self.settings), target)
        return None
