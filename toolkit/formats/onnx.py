"""ONNX: a protocol buffer, whose weights may be in files beside it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from toolkit.core import MANIFEST, ArtifactError, Format, InputError, Operators, Precision

from .base import FileFormat, Layer, Start
from .parts.onnx_files import onnx_files
from .parts.onnx_graphs import all_graphs
from .parts.onnx_layers import onnx_layers
from .parts.protobuf import fields, first

_CONVERSIONS = frozenset({"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "Cast"})
_INTEGER = frozenset(
    {"ConvInteger", "MatMulInteger", "MatMulIntegerToFloat", "MatMulNBits", "DynamicQuantizeMatMul", "QGemm", "QAttention"}
)
_DYNAMIC = frozenset({"MatMulInteger", "ConvInteger"})
_GRAPH, _NODES, _OPERATOR = 7, 1, 4
_INPUTS, _INPUT_NAME, _WEIGHTS, _WEIGHT_NAME = 11, 1, 5, 8
"""Numbers of fields in onnx.proto."""


class Onnx(FileFormat):
    """The format that most frameworks write."""

    format = Format.ONNX
    title = "ONNX"
    suffixes = (".onnx",)
    default_engine = "onnxruntime"
    start = Start(order=4, reference="onnxruntime", always=False)

    def files(self, path: Path) -> dict[str, Path]:
        """The graph, and the files in which it keeps weights."""
        beside = onnx_files(path)
        if self.format.file_name in beside or MANIFEST in beside:
            raise InputError(f"'{path.name}' keeps its weights in a file '{', '.join(beside)}'", hint="save them under another name")
        return {self.format.file_name: path, **beside}

    def _check(self, file: Path) -> None:
        graphs = [*fields(memoryview(file.read_bytes()), _GRAPH)]  # All: what stands behind the first is whole too.
        if not any(first(node, _OPERATOR) for graph in graphs for node in fields(graph, _NODES)):
            raise _no_graph(file)

    def _input_names(self, file: Path) -> tuple[str, ...]:
        """Those of the graph; old files list their weights among them."""
        graph = first(memoryview(file.read_bytes()), _GRAPH)
        names = [bytes(first(each, _INPUT_NAME)).decode() for each in fields(graph, _INPUTS)]
        weights = {bytes(first(each, _WEIGHT_NAME)).decode() for each in fields(graph, _WEIGHTS)} if len(names) > 1 else set()
        return tuple(name for name in names if name not in weights)

    def _precision(self, file: Path) -> Precision:
        """By the graph's operators: what measures ranges at run time, what has them for activations, or for weights alone."""
        graph = first(memoryview(file.read_bytes()), _GRAPH)
        types = {bytes(first(node, _OPERATOR)).decode() for node in fields(graph, _NODES)}
        if any(name in _DYNAMIC or name.startswith("DynamicQuantize") for name in types):
            return Precision.INT8_DYNAMIC
        if "QuantizeLinear" in types or any(name.startswith(("QLinear", "QGemm")) for name in types):
            return Precision.INT8
        if "MatMulNBits" in types:
            return Precision.INT4_WEIGHTS
        return Precision.INT8_WEIGHTS if "DequantizeLinear" in types else Precision.FP32

    def _operators(self, file: Path) -> Operators:
        """Every node, in sub-graphs and functions too.

        Quantized is a node of an integer type (``QLinear*``, ``MatMulInteger``, ``ConvInteger``, ``MatMulNBits`` and their like), or
        one that reads an input through ``DequantizeLinear``: with quantized activations an engine fuses the pair and computes
        in integers, with a quantized weight alone it stores integers and computes in float.
        """
        import onnx

        model = onnx.load(file, load_external_data=False)
        if not model.graph.node:
            raise _no_graph(file)
        nodes = [node for part in (model.graph, *model.functions) for graph in all_graphs(part) for node in graph.node]
        dequantized = {name for node in nodes if node.op_type == "DequantizeLinear" for name in node.output}
        quantized = sum(_is_quantized(node, dequantized) for node in nodes)
        return Operators(len(nodes), quantized, dict(sorted(Counter(node.op_type for node in nodes).items())))

    def _layers(self, file: Path) -> tuple[Layer, ...]:
        import onnx

        return onnx_layers(onnx.load(file))


def _no_graph(file: Path) -> ArtifactError:
    return ArtifactError(f"'{file}' holds no ONNX graph", expected="at least one node", hint="is the file complete? convert it again")


def _is_quantized(node: Any, dequantized: set[str]) -> bool:
    if node.op_type in _CONVERSIONS:
        return False
    return node.op_type in _INTEGER or node.op_type.startswith("QLinear") or any(name in dequantized for name in node.input)
