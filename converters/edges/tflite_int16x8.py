"""TF Lite with int16 activations and int8 weights, with ranges fixed by calibration."""

from __future__ import annotations

from toolkit.core import Format, Precision

from ..base import Node
from ..tflite_static import TfliteStatic


class TfliteInt16x8(TfliteStatic):
    """int8 weights per channel, symmetric int16 activations with the largest size that the calibration samples reach, 64-bit sums: for
    signals that 256 levels are too few for, and for microcontrollers.
    """

    name = "tflite_int16x8"
    source = Node(Format.TFLITE, Precision.FP32)
    target = Node(Format.TFLITE, Precision.INT16X8)
    settings = {"recipe": "static_wi8_ai16", "border": "float32", "ranges": "minmax", "broken": "float"}  # noqa: RUF012 - read-only
    choices = {"per_channel": (True, False), "integer_io": (False, True)}  # noqa: RUF012 - read-only
    bits = 16
