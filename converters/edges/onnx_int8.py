"""ONNX in int8 with ranges fixed by calibration."""

from __future__ import annotations

from toolkit.core import Artifact, Format, Precision, Scalar

from ..base import Node, Recipe
from ..onnx_static import OnnxStatic, Options
from ..quantizer import reduces_range
from ..recipes import Ranges


class OnnxInt8(OnnxStatic):
    """int8 weights per channel, uint8 activations per tensor with the smallest and largest value that the calibration samples reach.

    With int8 activations a residual net of 6 x 64 on 9 x 9 was a quarter as fast: onnxruntime fuses and packs x86 convolutions for
    uint8 times int8 only. So symmetric ones, which are int8 with zero at 0, are for hardware that wants them. The weights use half of
    their range: on x86 without VNNI sums of two products of full weights saturate in OpenVINO, and in onnxruntime where
    ``session.x64quantprecision`` is not set, which only a session of ours sets (15 to 25 dB of three small networks).
    Networks that were trained with rounded weights keep their levels.
    """

    name = "onnx_int8"
    source = Node(Format.ONNX, Precision.FP32)
    target = Node(Format.ONNX, Precision.INT8)
    settings = {  # noqa: RUF012 - read-only
        "ranges": "minmax",
        "per_channel": True,
        "activations": "uint8",
        "reduce_range": True,
        "outputs": "float",
        "shared_weights": "copied",
    }
    choices = {  # noqa: RUF012 - read-only
        "ranges": (Ranges.MINMAX, Ranges.ENTROPY, Ranges.PERCENTILE),
        "per_channel": (True, False),
        "symmetric": (False, True),
        "reduce_range": (True, False),
    }

    def recipe_record(self, recipe: Recipe) -> dict[str, Scalar]:
        """As every edge, with the type that symmetric activations have."""
        return super().recipe_record(recipe) | ({"activations": "int8"} if self.choice(recipe, "symmetric") else {})

    def _options(self, source: Artifact, recipe: Recipe) -> Options:
        symmetric = bool(self.choice(recipe, "symmetric"))
        return Options(
            activations="QInt8" if symmetric else "QUInt8",
            per_channel=bool(self.choice(recipe, "per_channel")),
            symmetric=symmetric,
            ranges=Ranges(str(self.choice(recipe, "ranges"))),
            percentile=recipe.choices.percentile,
            reduce_range=reduces_range(recipe.choices, source),
        )
