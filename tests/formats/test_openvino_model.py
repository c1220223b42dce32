"""The layers of a network whose free sizes are not free: a recognizer takes pictures of any width that are 48 high."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from toolkit.formats.parts.openvino_model import openvino_layers


@pytest.fixture
def lines() -> Any:
    import openvino as ov
    from openvino import opset13 as op

    picture = op.parameter([-1, 3, -1, -1], np.float32, name="picture")
    picture.output(0).set_names({"picture"})
    found = op.convolution(picture, op.constant(np.ones((4, 3, 1, 1), np.float32)), [1, 1], [0, 0], [0, 0], [1, 1])
    pooled = op.avg_pool(found, [1, 1], [0, 0], [0, 0], [48, 1], exclude_pad=False)
    mean = op.reduce_mean(found, op.constant(np.array([2])), keep_dims=True)
    return ov.Model([op.concat([pooled, mean], axis=1)], [picture])


def test_products_are_counted_for_the_shapes_of_samples(lines: Any) -> None:
    layers = {layer.kind: layer.multiply_adds for layer in openvino_layers(lines, {"picture": (1, 3, 48, 100)})}
    assert layers["Convolution"] == 4 * 48 * 100 * 3


def test_what_takes_no_size_that_is_tried_has_layers_all_the_same(lines: Any) -> None:
    """PP-OCRv4's recognizer had no int8 for OpenVINO: its file "cannot be read"."""
    layers = openvino_layers(lines)
    assert {layer.kind for layer in layers} == {"Convolution", "AvgPool", "ReduceMean"}
    assert not any(layer.multiply_adds for layer in layers)
    assert openvino_layers(lines, {"another": (1,)}) == layers
