"""ONNX files that are in integers already to OpenVINO's own format."""

from __future__ import annotations

from toolkit.core import Format, Precision

from ..base import Node
from .openvino_from_onnx import OpenvinoFromOnnx


class OpenvinoFromOnnxInt8(OpenvinoFromOnnx):
    """The graph with its quantizations as it is: OpenVINO computes in integers what has ranges for weights and activations."""

    name = "openvino_from_onnx_int8"
    source = Node(Format.ONNX, Precision.INT8)
    target = Node(Format.OPENVINO, Precision.INT8)
    fallback = True


class OpenvinoFromOnnxInt8Dynamic(OpenvinoFromOnnx):
    """OpenVINO has no ranges that are measured at run time: it keeps the weights in integers and computes in float with rounded values."""

    name = "openvino_from_onnx_int8_dynamic"
    source = Node(Format.ONNX, Precision.INT8_DYNAMIC)
    target = Node(Format.OPENVINO, Precision.INT8_WEIGHTS)
    fallback = True
