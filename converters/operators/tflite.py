"""Operators of a TF Lite model."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from toolkit.core import ArtifactError, Operators

CONVERSIONS = frozenset({"QUANTIZE", "DEQUANTIZE"})


def operators(file: Path) -> Operators:
    """The operators of the first signature; the others are the same network at another batch size.

    Quantized is an operator that reads or writes an integer tensor with a scale (int8, uint8, int4, int16), or reads an integer
    constant through ``DEQUANTIZE``.
    """
    from ai_edge_litert import schema_py_generated as schema

    model, graph, nodes = read_graph(file)
    tensors = [graph.Tensors(index) for index in range(graph.TensorsLength())]
    integer = {getattr(schema.TensorType, name) for name in ("INT8", "UINT8", "INT4", "INT16") if hasattr(schema.TensorType, name)}
    scaled = {index for index, tensor in enumerate(tensors) if tensor.Type() in integer and _has_scale(tensor)}
    constants = {index for index in scaled if model.Buffers(tensors[index].Buffer()).DataLength()}
    scaled |= {out for node in nodes if node.type == "DEQUANTIZE" and constants.intersection(node.inputs) for out in node.outputs}
    quantized = sum(node.type not in CONVERSIONS and not scaled.isdisjoint([*node.inputs, *node.outputs]) for node in nodes)
    return Operators(len(nodes), quantized, dict(sorted(Counter(node.type for node in nodes).items())))


def read_graph(file: Path) -> tuple[Any, Any, list[Node]]:
    """The model, the graph of its first signature, and the operators of that; raises `ArtifactError` for another kind of file."""
    from ai_edge_litert import schema_py_generated as schema

    content = file.read_bytes()
    if content[4:8] != b"TFL3":
        got = "0 bytes" if not content else "another kind of file"
        raise ArtifactError(f"'{file}' is no TF Lite model", expected="a flatbuffer marked TFL3", got=got)
    model = schema.Model.GetRootAs(content, 0)
    graph = model.Subgraphs(model.SignatureDefs(0).SubgraphIndex() if model.SignatureDefsLength() else 0)
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    return model, graph, [Node(model, graph.Operators(index), names) for index in range(graph.OperatorsLength())]


class Node:
    """One operator: its type's name and the numbers of its tensors."""

    def __init__(self, model: Any, operator: Any, names: dict[int, str]) -> None:
        code = model.OperatorCodes(operator.OpcodeIndex())
        # Codes above 126 do not fit the older one-byte field.
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        custom = code.CustomCode()
        self.type = custom.decode() if names.get(number) == "CUSTOM" and custom else names.get(number, f"operator {number}")
        self.inputs = [operator.Inputs(index) for index in range(operator.InputsLength())]
        self.outputs = [operator.Outputs(index) for index in range(operator.OutputsLength())]


def _has_scale(tensor: Any) -> bool:
    quantization = tensor.Quantization()
    return quantization is not None and quantization.ScaleLength() > 0
