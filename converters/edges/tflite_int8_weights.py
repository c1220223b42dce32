"""TF Lite with weights stored in int8."""

from __future__ import annotations

from pathlib import Path

from toolkit.core import Artifact, Format, Precision, Signature

from ..base import Converter, Node, Recipe
from ..tflite import quantize_source


class TfliteInt8Weights(Converter):
    """Symmetric int8 weights per channel, each behind a DEQUANTIZE; computation is float."""

    name = "tflite_int8_weights"
    source = Node(Format.TFLITE, Precision.FP32)
    target = Node(Format.TFLITE, Precision.INT8_WEIGHTS)
    extra = "convert"
    distributions = ("ai-edge-quantizer", "ai-edge-litert")
    settings = {"recipe": "weight_only_wi8_afp32"}  # noqa: RUF012 - read-only

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:  # noqa: ARG002
        from ai_edge_quantizer import recipe as recipes

        quantize_source(source, target, recipes.weight_only_wi8_afp32())
        return None
