"""ONNX with int16 activations and int8 weights, with ranges fixed by calibration."""

from __future__ import annotations

from toolkit.core import Artifact, Format, Precision

from ..base import Node, Recipe
from ..onnx_static import OnnxStatic, Options


class OnnxInt16x8(OnnxStatic):
    """int8 weights, symmetric int16 activations per tensor with the largest size that the calibration samples reach; operator set 21, the
    first with 16-bit integers. For processors of signals and networks that compute so: onnxruntime's own CPU kernels round to 16 bits and
    compute in float, which is slower than float32.

    uint16, onnxruntime's other type, came to 2.6 dB in OpenVINO 2026.4, where int16 comes to 43.
    """

    name = "onnx_int16x8"
    source = Node(Format.ONNX, Precision.FP32)
    target = Node(Format.ONNX, Precision.INT16X8)
    settings = {"ranges": "minmax", "per_channel": True, "symmetric": True, "outputs": "float"}  # noqa: RUF012 - read-only
    choices = {"per_channel": (True, False)}  # noqa: RUF012 - read-only

    def _options(self, source: Artifact, recipe: Recipe) -> Options:  # noqa: ARG002
        return Options("QInt16", per_channel=bool(self.choice(recipe, "per_channel")), symmetric=True)
