"""TF Lite in int8 with ranges fixed by calibration."""

from __future__ import annotations

from toolkit.core import Format, Precision

from ..base import Node
from ..recipes import Ranges, WeightRanges
from ..tflite_static import TfliteStatic


class TfliteInt8(TfliteStatic):
    """int8 weights per channel, asymmetric int8 activations between the smallest and largest value that the calibration samples reach."""

    name = "tflite_int8"
    source = Node(Format.TFLITE, Precision.FP32)
    target = Node(Format.TFLITE, Precision.INT8)
    settings = {"recipe": "static_wi8_ai8", "border": "float32", "ranges": "minmax", "broken": "float"}  # noqa: RUF012 - read-only
    choices = {  # noqa: RUF012 - read-only
        "ranges": (Ranges.MINMAX,),
        "per_channel": (True, False),
        "symmetric": (False, True),
        "integer_io": (False, True),
        "weight_ranges": tuple(WeightRanges),
    }
    bits = 8
