"""TF Lite in int8 with activation ranges measured at run time."""

from __future__ import annotations

from pathlib import Path

from toolkit.core import Artifact, Format, Precision, Signature

from ..base import Converter, Node, Recipe
from ..tflite import quantize_source


class TfliteInt8Dynamic(Converter):
    """Symmetric int8 weights per channel; the engine quantizes activations as they come and computes in integers."""

    name = "tflite_int8_dynamic"
    source = Node(Format.TFLITE, Precision.FP32)
    target = Node(Format.TFLITE, Precision.INT8_DYNAMIC)
    extra = "convert"
    distributions = ("ai-edge-quantizer", "ai-edge-litert")
    settings = {"recipe": "dynamic_wi8_afp32"}  # noqa: RUF012 - read-only

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:  # noqa: ARG002
        from ai_edge_quantizer import recipe as recipes

        quantize_source(source, target, recipes.dynamic_wi8_afp32())
        return None
