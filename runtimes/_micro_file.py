"""A ``.tflite`` file for a device: its first graph alone.

A file holds a graph for each batch size, and the interpreter for microcontrollers plans memory for all of them: with a graph for batch 32
beside that for batch 1 the arena of the reference CNN in int8 is 51 times as large.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from toolkit.formats.tflite import IDENTIFIER

from ._ports import position

_ALIGNMENT = 16
"""Bytes: what the schema asks for each constant, which some processors cannot read otherwise."""


@dataclass(frozen=True)
class FirstGraph:
    """The first graph of a file.

    ``content`` is a file of that graph alone, or the file itself where it has no other. ``inputs`` and ``outputs`` are the names in the
    signature's order with their places among the graph's own; ``operators`` the types of its operators in order, custom ones by their own
    name. ``free_batch`` says that the file has the same network at another batch size too.
    """

    content: bytes
    inputs: tuple[tuple[str, int], ...]
    outputs: tuple[tuple[str, int], ...]
    operators: tuple[str, ...]
    free_batch: bool


def first_graph(content: bytes) -> FirstGraph:
    """Read a whole ``.tflite`` file; the schema is the one that comes with the interpreter."""
    from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    graph = model.subgraphs[0]
    own = next((each for each in model.signatureDefs or [] if each.subgraphIndex == 0), None)
    found = FirstGraph(
        content=content,
        inputs=_names(graph, graph.inputs, own and own.inputs),
        outputs=_names(graph, graph.outputs, own and own.outputs),
        operators=_operators(schema, model, graph),
        free_batch=_has_other_batches(model),
    )
    outside = any(buffer.offset > 1 for buffer in model.buffers)
    if _calls_graphs(graph) or (len(model.subgraphs) == 1 and not outside):
        return found
    return replace(found, content=_alone(schema, model, content))


def _names(graph: Any, tensors: Any, entries: Any) -> tuple[tuple[str, int], ...]:
    order = [int(tensor) for tensor in tensors]
    if entries and sorted(entry.tensorIndex for entry in entries) == sorted(order):
        named = {entry.name.decode(): order.index(entry.tensorIndex) for entry in entries}
        return tuple((name, named[name]) for name in sorted(named, key=position))
    return tuple((graph.tensors[tensor].name.decode(), place) for place, tensor in enumerate(order))


def _operators(schema: Any, model: Any, graph: Any) -> tuple[str, ...]:
    kinds = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}

    def name(operator: Any) -> str:
        code = model.operatorCodes[operator.opcodeIndex]
        # Codes above 126 do not fit the older one-byte field.
        number = max(code.builtinCode, code.deprecatedBuiltinCode)
        return str(code.customCode.decode() if code.customCode else kinds.get(number, f"operator {number}"))

    return tuple(name(operator) for operator in graph.operators)


def _has_other_batches(model: Any) -> bool:
    def shapes(graph: Any) -> list[list[int]]:
        return [[int(size) for size in graph.tensors[tensor].shape] for tensor in graph.inputs]

    first = shapes(model.subgraphs[0])
    others = [shapes(model.subgraphs[each.subgraphIndex]) for each in model.signatureDefs or []]
    return any(other != first and [shape[1:] for shape in other] == [shape[1:] for shape in first] for other in others)


def _calls_graphs(graph: Any) -> bool:
    """Whether an operator runs another graph, as a loop does: then the file stays as it is."""
    options = [part for operator in graph.operators for part in (operator.builtinOptions, operator.builtinOptions2)]
    return any("ubgraphInd" in name for part in options if part is not None for name in vars(part))


def _alone(schema: Any, model: Any, content: bytes) -> bytes:
    """The model without its other graphs and what only they read, with every constant inside the flatbuffer."""
    import flatbuffers

    class Aligned(schema.BufferT):  # type: ignore[misc]
        def Pack(self, builder: Any) -> Any:  # noqa: N802 - the generated code's name
            builder.Prep(_ALIGNMENT, 0 if self.data is None else len(self.data))
            return super().Pack(builder)

    def inside(buffer: Any) -> Any:
        # AI Edge Quantizer puts large constants behind the flatbuffer.
        data = buffer.data if buffer.offset <= 1 else np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
        return Aligned(data=data)

    graph = model.subgraphs[0]
    read = sorted({0, *(tensor.buffer for tensor in graph.tensors)})
    for tensor in graph.tensors:
        tensor.buffer = read.index(tensor.buffer)
    model.buffers = [inside(model.buffers[index]) for index in read]
    model.subgraphs = [graph]
    model.signatureDefs = [each for each in model.signatureDefs or [] if each.subgraphIndex == 0]
    # Notes of the converter: each has a buffer of its own.
    model.metadata, model.metadataBuffer = [], []
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())
