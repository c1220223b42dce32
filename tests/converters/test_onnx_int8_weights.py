from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from toolkit.converters.edges.onnx_int8_weights import compress_weights
from toolkit.converters.onnx import read_modern


def model_with(nodes: list[Any], weights: dict[str, np.ndarray], rank: int) -> Any:
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None] * rank)],
        [helper.make_tensor_value_info(node.output[0], TensorProto.FLOAT, None) for node in nodes],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


@pytest.mark.parametrize(
    ("operator", "attributes", "shape", "axis", "first"),
    [
        ("Conv", {}, (5, 2, 3, 3), 0, False),
        ("ConvTranspose", {}, (2, 5, 3, 3), 1, False),
        ("Gemm", {}, (4, 5), 1, False),
        ("Gemm", {"transB": 1}, (5, 4), 0, False),
        ("Gemm", {}, (5, 4), 0, True),
        ("Gemm", {"transA": 1}, (4, 5), 1, True),
        ("MatMul", {}, (4, 5), 1, False),
        ("MatMul", {}, (5, 4), 0, True),
    ],
)
def test_each_output_channel_has_its_own_scale(
    operator: str, attributes: dict[str, int], shape: tuple[int, ...], axis: int, first: bool
) -> None:
    from onnx import helper, numpy_helper

    # Channels of very different size, one of them zero: any other axis would round the small ones away.
    along = [-1 if place == axis else 1 for place in range(len(shape))]
    size = np.array([1000, 1, 1e-3, 0, 50], np.float32).reshape(along)
    weight = (np.random.default_rng(0).uniform(-1, 1, shape) * size).astype(np.float32)
    node = helper.make_node(operator, ["w", "x"] if first else ["x", "w"], ["y"], **attributes)
    model = model_with([node], {"w": weight}, len(shape))
    compress_weights(model)
    stored = {tensor.name.rpartition(".")[2]: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    assert stored["int8"].dtype == np.int8
    assert set(stored) == {"int8", "scale"}, "the float weights are still in the file"
    scale = stored["scale"].reshape(along)
    assert np.all(np.abs(stored["int8"] * scale - weight) <= scale / 2 * (1 + 1e-5))
    assert np.all(scale <= np.where(size > 0, size / 127, 1))


def test_weights_that_paddle_writes_as_nodes_are_weights(tmp_path: Path) -> None:
    """PP-OCR's direction classifier: "quantized nothing", though all its convolutions have weights."""
    from onnx import helper, numpy_helper, save

    weight = np.random.default_rng(0).uniform(-1, 1, (5, 2, 3, 3)).astype(np.float32)
    constant = helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(weight))
    model = model_with([constant, helper.make_node("Conv", ["x", "w"], ["y"])], {}, 4)
    del model.graph.output[0]
    save(model, tmp_path / "model.onnx")
    modern = read_modern(tmp_path / "model.onnx")
    assert [node.op_type for node in modern.graph.node] == ["Conv"]
    compress_weights(modern)
    assert {tensor.name.rpartition(".")[2] for tensor in modern.graph.initializer} == {"int8", "scale"}


def test_a_weight_that_others_read_too_stays() -> None:
    from onnx import helper

    weight = np.ones((4, 4), np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Add", ["x", "w"], ["b"]),
        helper.make_node("MatMul", ["x", "w"], ["c"]),
    ]
    model = model_with(nodes, {"w": weight}, 2)
    compress_weights(model)
    assert sorted(tensor.name for tensor in model.graph.initializer) == ["w", "w.float1.int8", "w.float1.scale"]
    assert [list(node.input) for node in model.graph.node] == [
        ["w.float1.int8", "w.float1.scale"], ["x", "w.float1"], ["x", "w"], ["x", "w.float1"],
    ]  # fmt: skip
