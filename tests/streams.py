"""A network with a memory whose answers are known: it adds up what it is given."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def summing_net(file: Path, *, memory: str = "sum", total: str = "sum_out", factor: float = 10) -> Path:
    """ONNX: ``x: float32[batch, 2]`` and a `memory` ``float32[1, batch, 2]``; ``y = factor * total`` in the shape of ``x``, and
    `total`, the memory plus ``x``.
    """
    from onnx import TensorProto, helper, numpy_helper, save

    def value(name: str, shape: list[int | str]) -> object:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    nodes = [
        helper.make_node("Unsqueeze", ["x", "axis"], ["row"]),
        helper.make_node("Add", [memory, "row"], [total]),
        helper.make_node("Squeeze", [total, "axis"], ["plain"]),
        helper.make_node("Mul", ["plain", "factor"], ["y"]),
    ]
    constants = [numpy_helper.from_array(np.array([0], np.int64), "axis"), numpy_helper.from_array(np.array(factor, np.float32), "factor")]
    inputs = [value("x", ["batch", 2]), value(memory, [1, "batch", 2])]
    outputs = [value("y", ["batch", 2]), value(total, [1, "batch", 2])]
    model = helper.make_model(
        helper.make_graph(nodes, "sums", inputs, outputs, constants), opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    save(model, file)
    return file
