"""Operators of an ONNX graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from toolkit.core import ArtifactError, Operators

_CONVERSIONS = frozenset({"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "Cast"})
_INTEGER = frozenset(
    {"ConvInteger", "MatMulInteger", "MatMulIntegerToFloat", "MatMulNBits", "DynamicQuantizeMatMul", "QGemm", "QAttention"}
)


def operators(file: Path) -> Operators:
    """Every node, in sub-graphs and functions too.

    Quantized is a node of an integer type (``QLinear*``, ``MatMulInteger``, ``ConvInteger``, ``MatMulNBits`` and their like), or
    one that reads an input through ``DequantizeLinear``: with quantized activations an engine fuses the pair and computes
    in integers, with a quantized weight alone it stores integers and computes in float.
    """
    import onnx

    model = onnx.load(file, load_external_data=False)
    if not model.graph.node:
        raise ArtifactError(f"'{file}' holds no ONNX graph", expected="at least one node", hint="is the file complete? convert it again")
    graphs = [*_graphs(model.graph.node), *(inner for function in model.functions for inner in _graphs(function.node))]
    nodes = [node for graph in graphs for node in graph]
    dequantized = {name for node in nodes if node.op_type == "DequantizeLinear" for name in node.output}
    quantized = sum(_is_quantized(node, dequantized) for node in nodes)
    return Operators(len(nodes), quantized, dict(sorted(Counter(node.op_type for node in nodes).items())))


def _graphs(nodes: Any) -> Iterator[Any]:
    yield nodes
    for node in nodes:
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                if graph.node:
                    yield from _graphs(graph.node)


def _is_quantized(node: Any, dequantized: set[str]) -> bool:
    if node.op_type in _CONVERSIONS:
        return False
    return node.op_type in _INTEGER or node.op_type.startswith("QLinear") or any(name in dequantized for name in node.input)
