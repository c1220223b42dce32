"""Layers of a TF Lite model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..operators.tflite import CONVERSIONS, Node, read_graph
from . import Execution, Layer, size_of

FLOAT_KINDS = {"TRANSPOSE_CONV": "AI Edge Quantizer breaks the file with the addition behind it"}
UNFUSED = "AI Edge Quantizer has no rule for it"


def layers(file: Path) -> tuple[Layer, ...]:
    """The operators of the smallest batch, by the names that `toolkit.converters.tflite.name_operators` gave their outputs."""
    _, graph, nodes = read_graph(file)
    return tuple(Layer(name, node.type, _multiply_adds(graph, node)) for node in nodes if (name := _name(graph, node)))


def execution(file: Path) -> Execution:
    """As the file says: an interpreter has no choice."""
    from ai_edge_litert import schema_py_generated as schema

    _, graph, nodes = read_graph(file)
    integer = {schema.TensorType.INT8, schema.TensorType.UINT8, schema.TensorType.INT16}

    def is_integer(tensor: int) -> bool:
        return graph.Tensors(tensor).Type() in integer

    return Execution(
        frozenset(
            _name(graph, node)
            for node in nodes
            if node.type not in CONVERSIONS and is_integer(node.inputs[0]) and is_integer(node.outputs[0])
        ),
        sum(node.type in CONVERSIONS for node in nodes),
    )


def _name(graph: Any, node: Node) -> str:
    """An operator's output's name without the signature's."""
    name: str = graph.Tensors(node.outputs[0]).Name().decode().partition("/")[2]
    return name


def _multiply_adds(graph: Any, node: Node) -> int:
    count = _COUNTS.get(node.type)
    # The smallest signature may still hold several samples.
    batch = _shape(graph, graph.Inputs(0))[:1] or [1]
    return count([_shape(graph, tensor) for tensor in node.inputs], _shape(graph, node.outputs[0])) // batch[0] if count else 0


def _shape(graph: Any, tensor: int) -> list[int]:
    return [int(size) for size in np.atleast_1d(graph.Tensors(tensor).ShapeAsNumpy())] if tensor >= 0 else []


_COUNTS: dict[str, Callable[[list[list[int]], list[int]], int]] = {
    "CONV_2D": lambda inputs, output: size_of(output) * size_of(inputs[1][1:]),
    "DEPTHWISE_CONV_2D": lambda inputs, output: size_of(output) * size_of(inputs[1][1:3]),
    "TRANSPOSE_CONV": lambda inputs, output: size_of(inputs[2]) * size_of(inputs[1][:3]),  # noqa: ARG005
    "FULLY_CONNECTED": lambda inputs, output: size_of(output) * inputs[1][-1],
    "BATCH_MATMUL": lambda inputs, output: size_of(output) * inputs[0][-1],
}
