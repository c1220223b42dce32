"""Layers of a TF Lite model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from . import Execution, Layer, size_of

_CONVERSIONS = frozenset(["QUANTIZE", "DEQUANTIZE"])
FLOAT_KINDS = {"TRANSPOSE_CONV": "AI Edge Quantizer breaks the file with the addition behind it"}
UNFUSED = "AI Edge Quantizer has no rule for it"


def layers(file: Path) -> tuple[Layer, ...]:
    """The operators of the smallest batch, by the names that `toolkit.converters._tflite.name_operators` gave their outputs."""
    model, graph, names = _opened(file)
    return tuple(
        Layer(name, kind, _multiply_adds(kind, graph, operator)) for operator, kind, name in _operators(model, graph, names) if name
    )


def execution(file: Path) -> Execution:
    """As the file says: an interpreter has no choice."""
    from ai_edge_litert import schema_py_generated as schema

    model, graph, names = _opened(file)
    integer = {schema.TensorType.INT8, schema.TensorType.UINT8, schema.TensorType.INT16}

    def is_integer(tensor: int) -> bool:
        return graph.Tensors(tensor).Type() in integer

    operators = list(_operators(model, graph, names))
    return Execution(
        frozenset(
            name
            for operator, kind, name in operators
            if kind not in _CONVERSIONS and is_integer(operator.Inputs(0)) and is_integer(operator.Outputs(0))
        ),
        sum(kind in _CONVERSIONS for _, kind, _ in operators),
    )


def _opened(file: Path) -> tuple[Any, Any, dict[int, str]]:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(file.read_bytes(), 0)
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    return model, model.Subgraphs(model.SignatureDefs(0).SubgraphIndex() if model.SignatureDefsLength() else 0), names


def _operators(model: Any, graph: Any, names: dict[int, str]) -> Iterator[tuple[Any, str, str]]:
    """Each operator, its kind, and its output's name without the signature's."""
    for index in range(graph.OperatorsLength()):
        operator = graph.Operators(index)
        code = model.OperatorCodes(operator.OpcodeIndex())
        kind = names.get(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()), "CUSTOM")
        yield operator, kind, graph.Tensors(operator.Outputs(0)).Name().decode().partition("/")[2]


def _multiply_adds(kind: str, graph: Any, operator: Any) -> int:
    shapes = [_shape(graph, operator.Inputs(place)) for place in range(operator.InputsLength())]
    output = _shape(graph, operator.Outputs(0))
    count = _COUNTS.get(kind)
    # The smallest signature may still hold several samples.
    batch = _shape(graph, graph.Inputs(0))[:1] or [1]
    return count(shapes, output) // batch[0] if count else 0


def _shape(graph: Any, tensor: int) -> list[int]:
    return [int(size) for size in np.atleast_1d(graph.Tensors(tensor).ShapeAsNumpy())] if tensor >= 0 else []


_COUNTS: dict[str, Callable[[list[list[int]], list[int]], int]] = {
    "CONV_2D": lambda inputs, output: size_of(output) * size_of(inputs[1][1:]),
    "DEPTHWISE_CONV_2D": lambda inputs, output: size_of(output) * size_of(inputs[1][1:3]),
    "TRANSPOSE_CONV": lambda inputs, output: size_of(inputs[2]) * size_of(inputs[1][:3]),  # noqa: ARG005
    "FULLY_CONNECTED": lambda inputs, output: size_of(output) * inputs[1][-1],
    "BATCH_MATMUL": lambda inputs, output: size_of(output) * inputs[0][-1],
}
