"""What readers of TF Lite files suppose, and files that other tools have written do not hold to."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import Signature

_SIGNATURE = "serving_default"


def prepare(file: Path, signature: Signature, target: Path) -> Path:
    """`file`; or `target`, where it is written with what the quantizer and the calibration need of it and with the same outputs:

    - a signature with the names of `signature`, where the file has none;
    - weights in float32 in place of float16 ones behind a DEQUANTIZE, which it would not see as weights;
    - the kinds of operators in the field that it reads: a file from before that field has them in another one;
    - another name for each tensor;
    - a tensor of its own for each operator that reads a constant: where one reader stays float, the quantizer copies it under a name with
      which it cannot go on;
    - a copy of each float output that an operator reads too, or that is returned twice: it wires those wrongly, so that they come back as
      integers, or the last operator gets floats in place of its integers.
    """
    from ai_edge_quantizer.utils import tfl_flatbuffer_utils

    model = tfl_flatbuffer_utils.read_model(str(file))
    # Each of them, not only those before the first that has something to do.
    if not sum([_sign(model, signature), _renew(model), _widen(model), _separate(model), _name(model), _copy_outputs(model)]):
        return file
    tfl_flatbuffer_utils.write_model(model, str(target))
    return target


def prepare_for_openvino(file: Path, target: Path) -> Path:
    """`file`; or `target`, where it is written with all constants inside its flatbuffer, and with the kinds of operators in the older field
    too: AI Edge Quantizer keeps neither, and OpenVINO's reader knows neither.
    """
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_quantizer.utils import tfl_flatbuffer_utils

    model = tfl_flatbuffer_utils.read_model(str(file))
    most = schema.BuiltinOperator.PLACEHOLDER_FOR_GREATER_OP_CODES
    unknown = [code for code in model.operatorCodes if code.deprecatedBuiltinCode < min(code.builtinCode, most)]
    if not unknown and not any(buffer.offset for buffer in model.buffers):
        return file
    for code in unknown:
        code.deprecatedBuiltinCode = min(code.builtinCode, most)
    tfl_flatbuffer_utils.write_model(model, str(target))
    return target


def _sign(model: Any, signature: Signature) -> int:
    """Give the graph's inputs and outputs, which are in the order of `signature` in a file that says no other, its names."""
    from ai_edge_litert import schema_py_generated as schema

    if model.signatureDefs:
        return 0
    graph = model.subgraphs[0]
    inputs, outputs = (
        [schema.TensorMapT(name=spec.name.encode(), tensorIndex=int(number)) for spec, number in zip(specs, numbers, strict=True)]
        for specs, numbers in ((signature.inputs, graph.inputs), (signature.outputs, graph.outputs))
    )
    model.signatureDefs = [schema.SignatureDefT(inputs=inputs, outputs=outputs, signatureKey=_SIGNATURE.encode(), subgraphIndex=0)]
    return 1


def _renew(model: Any) -> int:
    """Put the kind of each operator into the newer field; how many were not there."""
    old = [code for code in model.operatorCodes if code.builtinCode < code.deprecatedBuiltinCode]
    for code in old:
        code.builtinCode = code.deprecatedBuiltinCode
    return len(old)


def _widen(model: Any) -> int:
    """Put float32 constants in place of each DEQUANTIZE of a float16 one; how many."""
    from ai_edge_litert import schema_py_generated as schema

    count = 0
    for graph in model.subgraphs:
        left = []
        for operator in graph.operators:
            data = _constant(model, graph.tensors[operator.inputs[0]]) if len(operator.inputs) else None
            widens = model.operatorCodes[operator.opcodeIndex].builtinCode == schema.BuiltinOperator.DEQUANTIZE
            if data is None or not widens or graph.tensors[operator.inputs[0]].type != schema.TensorType.FLOAT16:
                left.append(operator)
                continue
            wide = np.frombuffer(bytes(data), np.float16).astype(np.float32)
            model.buffers.append(schema.BufferT(data=wide.view(np.uint8)))
            graph.tensors[operator.outputs[0]].buffer = len(model.buffers) - 1
            count += 1
        graph.operators = left
    return count


def _name(model: Any) -> int:
    """Number the tensors whose name another one has, in whichever graph; how many."""
    taken: set[bytes] = set()
    count = 0
    for graph in model.subgraphs:
        for number, tensor in enumerate(graph.tensors):
            name = tensor.name or b""
            if not name or name in taken:
                tensor.name = name = next(free for count in itertools.count(number) if (free := name + b"_%d" % count) not in taken)
                count += 1
            taken.add(name)
    return count


def _separate(model: Any) -> int:
    """Give each operator that reads a float constant another tensor of it, over the same bytes; how many are new."""
    from ai_edge_litert import schema_py_generated as schema

    count = 0
    for graph in model.subgraphs:
        read: set[int] = set()
        for operator in graph.operators:
            for place, number in enumerate(operator.inputs):
                if number < 0 or (own := graph.tensors[number]).type != schema.TensorType.FLOAT32 or _constant(model, own) is None:
                    continue
                if number in read:
                    name = own.name + b"/%d" % len(graph.tensors)
                    graph.tensors.append(schema.TensorT(shape=own.shape, type=own.type, buffer=own.buffer, name=name, hasRank=own.hasRank))
                    operator.inputs[place] = len(graph.tensors) - 1
                    count += 1
                read.add(number)
    return count


def _constant(model: Any, tensor: Any) -> Any:
    """The bytes of a constant; None for another tensor."""
    data = model.buffers[tensor.buffer].data
    return None if data is None or not len(data) else data


def _copy_outputs(model: Any) -> int:
    """Copy each float output that an operator reads too, or that is returned twice; how many."""
    from ai_edge_litert import schema_py_generated as schema

    copies = 0
    for definition in model.signatureDefs:
        graph = model.subgraphs[definition.subgraphIndex]
        made = {tensor for operator in graph.operators for tensor in operator.outputs}
        taken = {tensor for operator in graph.operators for tensor in operator.inputs}
        for place, entry in enumerate(definition.outputs):
            number = entry.tensorIndex
            if number in taken and number in made and graph.tensors[number].type == schema.TensorType.FLOAT32:
                entry.tensorIndex = _copied(model, graph, number, f"{definition.signatureKey.decode()}/output_{place}")
                copies += 1
            taken.add(number)
    return copies


def _copied(model: Any, graph: Any, number: int, name: str) -> int:
    """Append an operator that copies an output of a graph, which is returned in its place; the number of the copy."""
    from ai_edge_litert import schema_py_generated as schema

    reshape = schema.BuiltinOperator.RESHAPE
    original = graph.tensors[number]
    sizes = original.shapeSignature if original.shapeSignature is not None else original.shape
    shape = np.array([] if sizes is None else sizes, np.int32)  # -1 where a size is free, of which RESHAPE takes one.
    model.buffers.append(schema.BufferT(data=shape.view(np.uint8)))
    wanted = schema.TensorT(shape=[len(shape)], type=schema.TensorType.INT32, buffer=len(model.buffers) - 1, name=f"{name}_shape".encode())
    copy = schema.TensorT(
        shape=original.shape,
        shapeSignature=original.shapeSignature,
        type=original.type,
        buffer=0,
        name=name.encode(),
        hasRank=original.hasRank,
    )
    graph.tensors += [wanted, copy]
    model.operatorCodes.append(schema.OperatorCodeT(builtinCode=reshape, deprecatedBuiltinCode=reshape, version=1))
    graph.operators.append(
        schema.OperatorT(
            opcodeIndex=len(model.operatorCodes) - 1,
            inputs=[number, len(graph.tensors) - 2],
            outputs=[len(graph.tensors) - 1],
            builtinOptionsType=schema.BuiltinOptions.ReshapeOptions,
            builtinOptions=schema.ReshapeOptionsT(newShape=shape.tolist()),
        )
    )
    place = list(graph.outputs).index(number)
    graph.outputs[place] = len(graph.tensors) - 1
    return len(graph.tensors) - 1
