"""Layers of an ONNX graph."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..onnx import exact_sums
from . import Execution, Layer, size_of

# What only moves or compares values is done in integers where its neighbours are; onnxruntime's quantizer takes it along.
_MOVES = frozenset(
    [
        "ArgMax",
        "Clip",
        "Concat",
        "Flatten",
        "GatherElements",
        "MaxPool",
        "Pad",
        "Relu",
        "Reshape",
        "Resize",
        "Slice",
        "Split",
        "Squeeze",
        "TopK",
        "Transpose",
        "Unsqueeze",
    ]
)
_INTEGER = ("QLinear", "QGemm", "MatMulInteger", "ConvInteger", "DynamicQuantize", "QAttention")
_RECURRENT = ("LSTM", "GRU", "RNN")
FLOAT_KINDS = {
    **dict.fromkeys(_RECURRENT, "onnxruntime's quantizer leaves recurrent layers alone"),
    "ConvTranspose": "onnxruntime has no integer kernel for it on the CPU",
}
UNFUSED = "onnxruntime did not fuse it with the conversions around it, so it computes in float on rounded values"
_Shapes = dict[str, list[int]]


def layers(model: Any, kinds: Sequence[str]) -> tuple[Layer, ...]:
    """The nodes of an `onnx.ModelProto` that are of one of the quantizer's `kinds` and compute something, and recurrent ones, which it
    leaves in float.
    """
    shapes = _shapes(model)
    wanted = (set(kinds) - _MOVES) | set(_RECURRENT)
    return tuple(Layer(node.name, node.op_type, _multiply_adds(node, shapes)) for node in model.graph.node if node.op_type in wanted)


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
    return size_of(output) * size_of(inputs[1][1:])


def _transposed(_node: Any, inputs: list[list[int]], _output: list[int]) -> int:
    return size_of(inputs[0]) * size_of(inputs[1][1:])


def _product(node: Any, inputs: list[list[int]], output: list[int]) -> int:
    across = next((attribute.i for attribute in node.attribute if attribute.name == "transA"), 0)
    depth = inputs[0][0 if across else -1] if inputs[0] else 0
    return size_of(output) * max(depth, 1)


def _recurrent(_node: Any, inputs: list[list[int]], _output: list[int]) -> int:
    steps, weights, recurrence = inputs[0][0] if inputs[0] else 1, inputs[1], inputs[2]
    return max(steps, 1) * (size_of(weights) + size_of(recurrence))


_COUNTS: dict[str, Callable[[Any, list[list[int]], list[int]], int]] = {
    "Conv": _convolution,
    "ConvTranspose": _transposed,
    "Gemm": _product,
    "MatMul": _product,
    **dict.fromkeys(_RECURRENT, _recurrent),
}


def execution(file: Path) -> Execution:
    """As onnxruntime optimizes the graph for this machine."""
    import onnx
    import onnxruntime

    with tempfile.TemporaryDirectory(prefix="toolkit-") as folder:
        options = exact_sums()
        options.optimized_model_filepath = str(Path(folder) / "optimized.onnx")
        # One level below all: the last one rearranges memory for this processor, which needs new names.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.log_severity_level = 3
        onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        nodes = onnx.load(options.optimized_model_filepath).graph.node
    return Execution(
        frozenset(node.name for node in nodes if node.op_type.startswith(_INTEGER)),
        sum(node.op_type in {"QuantizeLinear", "DequantizeLinear"} for node in nodes),
    )
