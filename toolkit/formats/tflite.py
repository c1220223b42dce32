"""TF Lite: a flatbuffer with a graph for each signature. Read here by its schema, of which the part that matters stands below."""

from __future__ import annotations

import mmap
import re
import struct
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from toolkit.core import ArtifactError, Format, Operators, Precision

from .base import FileFormat, Layer, Start, elements
from .parts.flatbuffer import Schema, Table
from .parts.tflite_names import OPERATORS, TYPES

IDENTIFIER = b"TFL3"
"""What a TF Lite file has at byte 4."""
CONVERSIONS = frozenset({"QUANTIZE", "DEQUANTIZE"})
_OWN_SIGNATURE = re.compile(r"\Ab\d+[^;/]*/")
_SCALED = frozenset({"INT8", "UINT8", "INT4", "INT16"})
# Of https://github.com/google-ai-edge/LiteRT/blob/main/tflite/converter/schema/schema.fbs, each field in its place; an operator's
# options, a union there, are a table of which nothing is read.
_SCHEMA = Schema("""
table Model { version:uint; operator_codes:[OperatorCode]; subgraphs:[SubGraph]; description:string; buffers:[Buffer];
    metadata_buffer:[int]; metadata:[Metadata]; signature_defs:[SignatureDef]; }
table OperatorCode { deprecated_builtin_code:byte; custom_code:string; version:int; builtin_code:int; }
table SubGraph { tensors:[Tensor]; inputs:[int]; outputs:[int]; operators:[Operator]; name:string; }
table Tensor { shape:[int]; type:ubyte; buffer:uint; name:string; quantization:Quantization; is_variable:bool; sparsity:Options;
    shape_signature:[int]; }
table Quantization { min:[float]; max:[float]; scale:[float]; zero_point:[long]; }
table Operator { opcode_index:uint; inputs:[int]; outputs:[int]; options_type:ubyte; options:Options; custom_options:[ubyte]; }
table Options { }
table Buffer { data:[ubyte]; offset:ulong; size:ulong; }
table Metadata { name:string; buffer:uint; }
table SignatureDef { inputs:[TensorMap]; outputs:[TensorMap]; signature_key:string; deprecated_tag:string; subgraph_index:uint; }
table TensorMap { name:string; tensor_index:uint; }
""")


@dataclass(frozen=True)
class Tensor:
    """A tensor of a graph."""

    name: str
    type: str
    """As the schema calls it: ``FLOAT32``, ``INT8``."""
    shape: tuple[int, ...]
    has_scale: bool
    """Whether it stands for real numbers by a scale."""
    zero_point: int
    """Of the first channel."""
    is_constant: bool


@dataclass(frozen=True)
class Node:
    """One operator: its type's name and the numbers of its tensors, -1 for an input that is left out."""

    type: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Graph:
    """A graph of a file; ``inputs`` and ``outputs`` are numbers of tensors."""

    tensors: tuple[Tensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    nodes: tuple[Node, ...]


class TfLite(FileFormat):
    """What LiteRT, TensorFlow and microcontrollers run."""

    format = Format.TFLITE
    title = "TF Lite"
    suffixes = (".tflite",)
    default_engine = "litert"
    start = Start(order=6, reference="litert", always=False)

    def _check(self, file: Path) -> None:
        check_tflite(file)

    def _operators(self, file: Path) -> Operators:
        """The operators of the first signature; the others are the same network at another batch size.

        Quantized is an operator that reads or writes an integer tensor with a scale (int8, uint8, int4, int16), or reads an integer
        constant through ``DEQUANTIZE``.
        """
        graph = read_graph(file)
        scaled = {index for index, tensor in enumerate(graph.tensors) if tensor.type in _SCALED and tensor.has_scale}
        constants = {index for index in scaled if graph.tensors[index].is_constant}
        scaled |= {out for node in graph.nodes if node.type == "DEQUANTIZE" and constants.intersection(node.inputs) for out in node.outputs}
        quantized = sum(node.type not in CONVERSIONS and not scaled.isdisjoint([*node.inputs, *node.outputs]) for node in graph.nodes)
        return Operators(len(graph.nodes), quantized, dict(sorted(Counter(node.type for node in graph.nodes).items())))

    def _precision(self, file: Path) -> Precision:
        """By the first signature: of what is computed, integers of a file that keeps them for weights alone are int8-dynamic where an
        operator reads them, and int8-weights where it reads what ``DEQUANTIZE`` makes of them.
        """
        graph = read_graph(file)
        scaled = {number for number, tensor in enumerate(graph.tensors) if tensor.type in _SCALED and tensor.has_scale}
        constants = {number for number in scaled if graph.tensors[number].is_constant}
        read = {number for node in graph.nodes if node.type not in CONVERSIONS for number in (*node.inputs, *node.outputs)}
        if activations := {graph.tensors[number].type for number in read & (scaled - constants)}:
            return Precision.INT16X8 if "INT16" in activations else Precision.INT8
        if read & constants:
            return Precision.INT8_DYNAMIC
        return Precision.INT8_WEIGHTS if constants else Precision.FP32

    def _layers(self, file: Path) -> tuple[Layer, ...]:
        """The operators of the first signature, by the names that `toolkit.converters.tflite_signatures` gave their outputs."""
        graph = read_graph(file)
        return tuple(Layer(name, node.type, _multiply_adds(graph, node)) for node in graph.nodes if (name := layer_name(graph, node)))


def check_identifier(file: Path) -> None:
    """Raise `ArtifactError` unless the file begins as a TF Lite model does."""
    with file.open("rb") as stream:
        start = stream.read(8)
    if start[4:] != IDENTIFIER:
        got = "0 bytes" if not start else "no such identifier"
        raise ArtifactError(f"'{file}' is no TF Lite model", expected="a file with TFL3 at byte 4", got=got)


def check_tflite(file: Path) -> None:
    """Raise `ArtifactError` when the file is no TF Lite model, or an offset points outside it.

    For an interpreter that believes every offset in it: TensorFlow's ends the process on a truncated file. It is no defence against a
    file made to do harm: LiteRT verifies the whole format.
    """
    check_identifier(file)
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            Table.root(_SCHEMA, "Model", data).check()
        except (struct.error, IndexError) as error:
            raise ArtifactError(
                f"'{file}' is not whole", expected="offsets inside the file", got=f"{len(data)} bytes", hint="convert it again"
            ) from error


@contextmanager
def _opened(file: Path) -> Iterator[Table]:
    """The table of a file's model; raises `ArtifactError` for another kind of file."""
    check_identifier(file)
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield Table.root(_SCHEMA, "Model", data)


def read_graph(file: Path) -> Graph:
    """The graph of a file's first signature; raises `ArtifactError` for another kind of file."""
    with _opened(file) as model:
        signatures = model.all("signature_defs")
        return _graph(model, model.all("subgraphs")[signatures[0].number("subgraph_index") if signatures else 0])


def read_graphs(file: Path) -> tuple[Graph, ...]:
    """Every graph of a file in its order; raises `ArtifactError` for another kind of file."""
    with _opened(file) as model:
        return tuple(_graph(model, graph) for graph in model.all("subgraphs"))


def signature_graphs(file: Path) -> tuple[Graph, ...]:
    """The graphs of a file's signatures in order, not those that operators call; raises `ArtifactError` for another kind of file."""
    with _opened(file) as model:
        numbers = [signature.number("subgraph_index") for signature in model.all("signature_defs")] or [0]
        graphs = model.all("subgraphs")
        return tuple(_graph(model, graphs[number]) for number in dict.fromkeys(numbers))


def output_tensors(file: Path) -> dict[str, int]:
    """The numbers of the first signature's outputs in its graph, by their names; raises `ArtifactError` for another kind of file."""
    return signature_tensors(file)[1]


def signature_tensors(file: Path) -> tuple[dict[str, int], dict[str, int]]:
    """The numbers of the first signature's inputs and outputs in its graph, by their names; empty where the file has none. Raises
    `ArtifactError` for another kind of file.
    """
    with _opened(file) as model:
        signatures = model.all("signature_defs")[:1]
        inputs, outputs = (
            {entry.text("name"): entry.number("tensor_index") for signature in signatures for entry in signature.all(kind)}
            for kind in ("inputs", "outputs")
        )
        return inputs, outputs


def layer_name(graph: Graph, node: Node) -> str:
    """The name of an operator's output without that of the toolkit's signatures, such as ``b32``; empty where it has none."""
    return _OWN_SIGNATURE.sub("", graph.tensors[node.outputs[0]].name)


def _graph(model: Table, graph: Table) -> Graph:
    kinds = [_kind(code) for code in model.all("operator_codes")]
    constant = [buffer.length("data") > 0 or buffer.number("offset", "Q") > 1 for buffer in model.all("buffers")]
    nodes = tuple(
        Node(kinds[operator.number("opcode_index")], operator.numbers("inputs"), operator.numbers("outputs"))
        for operator in graph.all("operators")
    )
    return Graph(
        tuple(_tensor(tensor, constant) for tensor in graph.all("tensors")), graph.numbers("inputs"), graph.numbers("outputs"), nodes
    )


def _kind(code: Table) -> str:
    # Codes above 126 do not fit the older one-byte field; a file from before them has that field alone.
    number = max(code.number("builtin_code", "i"), code.number("deprecated_builtin_code", "b"))
    name = OPERATORS[number] if 0 <= number < len(OPERATORS) else f"operator {number}"
    return code.text("custom_code") or name if name == "CUSTOM" else name


def _tensor(tensor: Table, constant: Sequence[bool]) -> Tensor:
    number = tensor.number("type", "B")
    try:
        quantization = tensor.table("quantization")
    except KeyError:
        has_scale, zero_point = False, 0
    else:
        has_scale, zero_point = quantization.length("scale") > 0, next(iter(quantization.numbers("zero_point", "q")), 0)
    return Tensor(
        name=tensor.text("name"),
        type=TYPES[number] if number < len(TYPES) else f"type {number}",
        shape=tensor.numbers("shape"),
        has_scale=has_scale,
        zero_point=zero_point,
        is_constant=constant[tensor.number("buffer")],
    )


def _multiply_adds(graph: Graph, node: Node) -> int:
    count = _COUNTS.get(node.type)
    # The smallest signature may still hold several samples.
    batch = _shape(graph, graph.inputs[0])[:1] or [1]
    return count([_shape(graph, tensor) for tensor in node.inputs], _shape(graph, node.outputs[0])) // batch[0] if count else 0


def _shape(graph: Graph, tensor: int) -> list[int]:
    return list(graph.tensors[tensor].shape) if tensor >= 0 else []


_COUNTS: dict[str, Callable[[list[list[int]], list[int]], int]] = {
    "CONV_2D": lambda inputs, output: elements(output) * elements(inputs[1][1:]),
    "DEPTHWISE_CONV_2D": lambda inputs, output: elements(output) * elements(inputs[1][1:3]),
    "TRANSPOSE_CONV": lambda inputs, output: elements(inputs[2]) * elements(inputs[1][:3]),  # noqa: ARG005
    "FULLY_CONNECTED": lambda inputs, output: elements(output) * inputs[1][-1],
    "BATCH_MATMUL": lambda inputs, output: elements(output) * inputs[0][-1],
}
