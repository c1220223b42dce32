"""ONNX with weights stored in int8."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import Artifact, Format, Precision, Signature

from ..base import Converter, Node, Recipe
from ..onnx import read_modern, write_model


class OnnxInt8Weights(Converter):
    """Weights of convolutions and matrix products as symmetric int8 per output channel, each behind a DequantizeLinear; computation is
    float. The file shrinks to about a quarter and opens in every onnxruntime. Biases and embeddings stay float.

    Per channel ``scale = max|w| / 127`` and ``q = round(w / scale)``, so an error of a weight is at most ``scale / 2``.
    """

    name = "onnx_int8_weights"
    source = Node(Format.ONNX, Precision.FP32)
    target = Node(Format.ONNX, Precision.INT8_WEIGHTS)
    extra = "convert"
    distributions = ("onnx",)
    settings = {"symmetric": True, "per_channel": True}  # noqa: RUF012 - read-only

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:  # noqa: ARG002
        model = read_modern(source.model_file)
        compress_weights(model)
        write_model(model, target)
        return None


def compress_weights(model: Any) -> None:
    """Replace the float weights of `model`, an `onnx.ModelProto`, in place."""
    import onnx

    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) > 1}
    uses = Counter(name for node in graph.node for name in node.input) + Counter(value.name for value in graph.output)
    made: dict[tuple[str, int], str] = {}
    added = []
    for node in graph.node:
        for place in _weight_places(node):
            name = node.input[place]
            if name not in weights:
                continue
            axis = _channel_axis(node, place, len(weights[name].dims))
            if (name, axis) not in made:
                made[name, axis] = output = f"{name}.float{axis}"
                added.append(_dequantized(graph, onnx.numpy_helper.to_array(weights[name]), axis, output))
            node.input[place] = made[name, axis]
            uses[name] -= 1
    kept = [tensor for tensor in graph.initializer if tensor.name not in weights or uses[tensor.name] > 0]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    nodes = [*added, *graph.node]  # First, so that every reader of a weight comes after it.
    del graph.node[:]
    graph.node.extend(nodes)


def _weight_places(node: Any) -> tuple[int, ...]:
    if node.op_type in {"MatMul", "Gemm"}:
        return (0, 1)
    return (1,) if node.op_type in {"Conv", "ConvTranspose"} else ()


def _channel_axis(node: Any, place: int, rank: int) -> int:
    """The axis of a weight that is not summed over, so that every output has one scale."""
    if node.op_type == "Conv":
        return 0
    if node.op_type == "ConvTranspose":
        return 1
    flags = {attribute.name: attribute.i for attribute in node.attribute}
    if place == 0:
        return 1 if flags.get("transA") else rank - 2
    return 0 if flags.get("transB") else rank - 1


def _dequantized(graph: Any, weight: np.ndarray, axis: int, output: str) -> Any:
    """Add int8 weights and their scales to `graph`; the node that turns them into the float tensor `output`."""
    import onnx

    others = tuple(other for other in range(weight.ndim) if other != axis)
    largest = np.abs(weight).max(axis=others)
    scale = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    along = [-1 if other == axis else 1 for other in range(weight.ndim)]
    integers = np.clip(np.rint(weight / scale.reshape(along)), -127, 127).astype(np.int8)
    graph.initializer.append(onnx.numpy_helper.from_array(integers, f"{output}.int8"))
    graph.initializer.append(onnx.numpy_helper.from_array(scale, f"{output}.scale"))
    return onnx.helper.make_node(
        "DequantizeLinear", [f"{output}.int8", f"{output}.scale"], [output], name=f"{output}.dequantize", axis=axis
    )
