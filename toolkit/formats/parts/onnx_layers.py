"""The layers of an ONNX graph and their multiply-adds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..base import Layer, elements

MOVES = frozenset(
    ["Concat", "Flatten", "GatherElements", "MaxPool", "Pad", "Reshape", "Resize", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"]
)
"""Operations whose results are some of the values that they read."""
# What only moves or compares values is done in integers where its neighbours are; nobody chooses that.
_NO_LAYERS = MOVES | {"ArgMax", "Clip", "Relu", "TopK"}
_RECURRENT = ("LSTM", "GRU", "RNN")
_Shapes = dict[str, list[int]]


def onnx_layers(model: Any) -> tuple[Layer, ...]:
    """The nodes of an `onnx.ModelProto` that have a name and compute something, in the graph's order."""
    shapes = _shapes(model)
    nodes = [node for node in model.graph.node if node.name and node.op_type not in _NO_LAYERS]
    return tuple(Layer(node.name, node.op_type, _multiply_adds(node, shapes)) for node in nodes)


def _shapes(model: Any) -> _Shapes:
    """The shape of every tensor for one sample, as far as it can be inferred."""
    import onnx

    one = onnx.ModelProto()
    one.CopyFrom(model)
    del one.graph.value_info[:]
    for value in (*one.graph.input, *one.graph.output):
        for size in value.type.tensor_type.shape.dim:
            if not size.dim_value:
                size.dim_value = 1
    del one.graph.output[:]  # Their first dimension need not be the batch.
    one.graph.output.extend(onnx.helper.make_empty_tensor_value_info(value.name) for value in model.graph.output)
    graph = onnx.shape_inference.infer_shapes(one, data_prop=True).graph
    shapes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        shapes.setdefault(value.name, [size.dim_value for size in value.type.tensor_type.shape.dim])
    return shapes


def _multiply_adds(node: Any, shapes: _Shapes) -> int:
    count = _COUNTS.get(node.op_type)
    known = [shapes.get(name, []) for name in node.input]
    return count(node, known, shapes.get(node.output[0], [])) if count else 0


def _convolution(_node: Any, inputs: list[list[int]], output: list[int]) -> int:
    return elements(output) * elements(inputs[1][1:])


def _transposed(_node: Any, inputs: list[list[int]], _output: list[int]) -> int:
    return elements(inputs[0]) * elements(inputs[1][1:])


def _product(node: Any, inputs: list[list[int]], output: list[int]) -> int:
    across = next((attribute.i for attribute in node.attribute if attribute.name == "transA"), 0)
    depth = inputs[0][0 if across else -1] if inputs[0] else 0
    return elements(output) * max(depth, 1)


def _recurrent(_node: Any, inputs: list[list[int]], _output: list[int]) -> int:
    steps, weights, recurrence = inputs[0][0] if inputs[0] else 1, inputs[1], inputs[2]
    return max(steps, 1) * (elements(weights) + elements(recurrence))


_COUNTS: dict[str, Callable[[Any, list[list[int]], list[int]], int]] = {
    "Conv": _convolution,
    "ConvTranspose": _transposed,
    "Gemm": _product,
    "MatMul": _product,
    **dict.fromkeys(_RECURRENT, _recurrent),
}
