"""How many operators of a converted file are in integers."""

from __future__ import annotations

import pytest

from toolkit.converters.base import Node
from toolkit.core import Artifact, Format, Precision
from toolkit.formats import find_format


@pytest.mark.parametrize(
    ("format", "precision", "quantized"),
    [
        (Format.PT2, Precision.FP32, set()),
        # 2 convolutions, 2 linear layers; static int8 also pools and reshapes on integers.
        (Format.ONNX, Precision.INT8, {7}),
        (Format.ONNX, Precision.INT8_DYNAMIC, {2}),
        (Format.ONNX, Precision.INT8_WEIGHTS, {4}),
        (Format.OPENVINO, Precision.INT8_WEIGHTS, {4}),
        (Format.TFLITE, Precision.INT8_DYNAMIC, {4}),
        (Format.TFLITE, Precision.INT8_WEIGHTS, {4}),
    ],
    ids=str,
)
def test_counts_of_a_known_net(format: Format, precision: Precision, quantized: set[int], made: dict[Node, Artifact]) -> None:
    found = find_format(format).operators(made[Node(format, precision)].model_file)
    assert {found.quantized} == (quantized or {0})
    if precision is Precision.FP32:
        assert found.by_type["aten.conv2d"] == found.by_type["aten.linear"] == 2
