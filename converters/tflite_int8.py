"""TF Lite in int8 with ranges fixed by calibration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from toolkit.core import Artifact, Format, Precision, Signature

from ._tflite import calibrate, quantize
from .base import Converter, Node, Recipe


class TfliteInt8(Converter):
    """Every operator that AI Edge Quantizer can, with symmetric int8 weights per channel and asymmetric int8 activations per tensor;
    inputs and outputs stay float32 outside, quantized at the border.
    """

    name = "tflite_int8"
    source = Node(Format.TFLITE, Precision.FP32)
    target = Node(Format.TFLITE, Precision.INT8)
    extra = "convert"
    distributions = ("ai-edge-quantizer", "ai-edge-litert")
    settings = {"recipe": "static_wi8_ai8", "border": "float32", "ranges": "minmax"}  # noqa: RUF012 - read-only

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:
        from ai_edge_quantizer import recipe as recipes

        assert recipe.calibration is not None
        signature = source.manifest.signature
        # Without these two the files' own inputs and outputs become int8, and the signature would no longer be the model's.
        border: list[dict[str, Any]] = [
            {"regex": ".*", "operation": operation, "algorithm_key": "no_quantize", "op_config": {}} for operation in ("INPUT", "OUTPUT")
        ]
        static = [*recipes.static_wi8_ai8(), *border]
        ranges = calibrate(source.model_file, static, recipe.calibration.fit(signature), signature)
        quantize(source, target, static, ranges)
        return None
