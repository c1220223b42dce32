"""TF Lite files: the preparation's operators in front of those of the signature for one picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from toolkit.core import Artifact, ConversionError, Format, Signature

from ..tflite import quiet
from ._tensors import tflite_of
from .base import INPUT, Embedder, Picture

_CALLED = ("condSubgraphIndex", "bodySubgraphIndex", "thenSubgraphIndex", "elseSubgraphIndex", "initSubgraphIndex", "subgraph")
"""In the options of an operator: another graph of the file, by its number."""


class TfliteEmbedder(Embedder):
    """Joins two flatbuffers; of the file's signatures the one for a single picture stays."""

    name = "embedded_tflite"
    format = Format.TFLITE
    extra = "convert"
    distributions: ClassVar = ("tensorflow", "ai-edge-quantizer")
    batches = False

    def _embed(self, source: Artifact, target: Path, picture: Picture, signature: Signature) -> None:  # noqa: ARG002
        quiet()
        from ai_edge_quantizer.utils import tfl_flatbuffer_utils

        model = tfl_flatbuffer_utils.read_model(str(source.model_file))
        graph = _keep_one(model, picture)
        entry = int(graph.inputs[0])
        front = tfl_flatbuffer_utils.read_model(bytearray(tflite_of(picture, [int(size) for size in graph.tensors[entry].shape])))
        _join(model, graph, front, entry, is_real=picture.dtype.startswith("float"))
        tfl_flatbuffer_utils.write_model(model, str(target))


def _shapes(picture: Picture) -> list[list[int]]:
    """What the input may be in the file: converters turn a layout."""
    height, width = picture.size
    both = {"NCHW": [1, len(picture.mix), height, width], "NHWC": [1, height, width, len(picture.mix)]}
    return [both.pop(picture.about.layout), *both.values()]


def _keep_one(model: Any, picture: Picture) -> Any:
    """The graph that takes one picture, the first of `model` from now on, with the graphs that it calls; the others are removed."""
    signatures = model.signatureDefs or []
    wanted = _shapes(picture)
    able = [number for number in [each.subgraphIndex for each in signatures] or [0] if _takes(model.subgraphs[number], wanted)]
    if not able:
        found = ", ".join(str(list(each.tensors[each.inputs[0]].shape)) for each in model.subgraphs if len(each.inputs) == 1)
        raise ConversionError("no signature of the file takes one picture", expected=str(wanted[0]), got=found)
    order = [able[0]]
    for number in order:
        order += [each for _, _, each in _calls(model.subgraphs[number]) if each not in order]
    for graph in [model.subgraphs[number] for number in order]:
        for options, name, number in [*_calls(graph)]:
            setattr(options, name, order.index(number))
    own = next((each for each in signatures if each.subgraphIndex == able[0]), None)
    model.subgraphs = [model.subgraphs[number] for number in order]
    model.signatureDefs = [] if own is None else [own]
    if own is not None:
        own.subgraphIndex = 0
    return model.subgraphs[0]


def _takes(graph: Any, shapes: list[list[int]]) -> bool:
    return len(graph.inputs) == 1 and list(graph.tensors[graph.inputs[0]].shape) in shapes


def _calls(graph: Any) -> Iterator[tuple[Any, str, int]]:
    """The graphs that a graph's operators call: the options that say so, under which name, and the number."""
    for operator in graph.operators:
        for options in (operator.builtinOptions, operator.builtinOptions2):
            for name in _CALLED:
                if (number := getattr(options, name, None)) is not None and number >= 0:
                    yield options, name, number


def _join(model: Any, graph: Any, front: Any, entry: int, *, is_real: bool) -> None:
    """Put the operators of `front` before those of `graph`, and its input in the place of the tensor `entry`."""
    before = front.subgraphs[0]
    tensors, buffers, codes = len(graph.tensors), len(model.buffers), len(model.operatorCodes)
    for tensor in before.tensors:
        tensor.buffer += buffers
        tensor.name = b"prepare/" + (tensor.name or b"")
    for operator in before.operators:
        operator.opcodeIndex += codes
        operator.inputs = [number if number < 0 else number + tensors for number in operator.inputs]
        operator.outputs = [number + tensors for number in operator.outputs]
    model.buffers += front.buffers
    model.operatorCodes += front.operatorCodes
    graph.tensors += before.tensors
    picture, prepared = before.inputs[0] + tensors, before.outputs[0] + tensors
    graph.tensors[picture].name = INPUT.encode()
    graph.operators = [*before.operators, *_typed(model, graph, before.operators, prepared, entry, is_real=is_real), *graph.operators]
    graph.inputs = [picture]
    for definition in model.signatureDefs:
        definition.inputs[0].name, definition.inputs[0].tensorIndex = INPUT.encode(), picture


def _typed(model: Any, graph: Any, operators: Sequence[Any], prepared: int, entry: int, *, is_real: bool) -> list[Any]:
    """The operators that make the network's own input of the float32 that `operators` prepare, none where it is one too: by its scale where
    it stands for real numbers in integers.
    """
    from ai_edge_litert import schema_py_generated as schema

    own = graph.tensors[entry]
    if own.type == schema.TensorType.FLOAT32:
        (last,) = (operator for operator in operators if prepared in operator.outputs)
        last.outputs = [entry]
        return []
    kind = schema.BuiltinOperator.QUANTIZE if is_real and own.quantization is not None else schema.BuiltinOperator.CAST
    is_cast = kind == schema.BuiltinOperator.CAST
    model.operatorCodes.append(schema.OperatorCodeT(builtinCode=kind, deprecatedBuiltinCode=kind, version=1))
    return [
        schema.OperatorT(
            opcodeIndex=len(model.operatorCodes) - 1,
            inputs=[prepared],
            outputs=[entry],
            builtinOptionsType=schema.BuiltinOptions.CastOptions if is_cast else schema.BuiltinOptions.NONE,
            builtinOptions=schema.CastOptionsT(inDataType=schema.TensorType.FLOAT32, outDataType=own.type) if is_cast else None,
        )
    ]
