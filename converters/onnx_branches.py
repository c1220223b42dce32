"""Branches of an ONNX graph that its sizes decide, as torch exports ``squeeze`` and recurrent layers: the one that is taken stays."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.core import Signature
from toolkit.formats.parts.onnx_graphs import inner_graphs

if TYPE_CHECKING:
    from onnx import ModelProto

_SHAPES = frozenset({"Shape", "Size"})
_ROWS = (2, 3)
"""Batches at which a condition is looked at: neither is 1, which is taken for a size of its own."""


def fold_branches(model: ModelProto, signature: Signature, sizes: Mapping[str, int]) -> int:
    """Put in place of each If whose condition follows from shapes the branch that it takes at these `sizes` and any batch, in the graph
    itself; those that follow from values stay. Returns how many went.
    """
    folded = 0
    while True:
        decided = _decided(model, signature, sizes)
        if not decided:
            return folded
        for node, taken in decided:
            _inline(model.graph, node, taken, folded)
            folded += 1


def _decided(model: ModelProto, signature: Signature, sizes: Mapping[str, int]) -> list[tuple[Any, bool]]:
    made = {name: node for node in model.graph.node for name in node.output}
    constants = {tensor.name for tensor in model.graph.initializer}
    ifs = [node for node in model.graph.node if node.op_type == "If" and _follows(node.input[0], made, constants)]
    if not ifs:
        return []
    seen = [_conditions(model, [node.input[0] for node in ifs], signature, sizes, batch=batch) for batch in _ROWS]
    return [(node, one) for node, one, other in zip(ifs, *seen, strict=True) if one == other]


def _follows(name: str, made: Mapping[str, Any], constants: set[str]) -> bool:
    """Whether a value is decided by shapes and constants alone."""
    todo, seen = [name], set[str]()
    while todo:
        each = todo.pop()
        if each in constants or each in seen or not each:
            continue
        seen.add(each)
        node = made.get(each)
        if node is None or node.op_type in {"If", "Loop", "Scan"}:
            return False  # An input of the network, or what other graphs compute.
        if node.op_type not in _SHAPES:
            todo += node.input
    return True


def _conditions(model: ModelProto, names: list[str], signature: Signature, sizes: Mapping[str, int], *, batch: int) -> list[bool]:
    import onnx
    import onnxruntime

    asked = onnx.ModelProto()
    asked.CopyFrom(model)
    del asked.graph.output[:]
    asked.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.BOOL, None) for name in dict.fromkeys(names))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(asked.SerializeToString(), options, providers=["CPUExecutionProvider"])
    feeds = {spec.name: np.zeros(signature.shape(spec, batch, sizes=sizes), spec.dtype) for spec in signature.inputs}
    found = dict(zip(dict.fromkeys(names), session.run(None, feeds), strict=True))
    return [bool(np.all(found[name])) for name in names]


def _inline(graph: Any, node: Any, taken: bool, number: int) -> None:
    """Put the nodes of a branch in the place of `node`, under names that no others have."""
    from onnx import helper

    branch = next(attribute.g for attribute in node.attribute if attribute.name == ("then_branch" if taken else "else_branch"))
    own = {name for inner in branch.node for name in inner.output} | {tensor.name for tensor in branch.initializer}
    names = {name: f"{name}.{number}" for name in own if name}
    nodes = []
    for inner in branch.node:
        copy = type(inner)()
        copy.CopyFrom(inner)
        _rename(copy, names)
        nodes.append(copy)
    for tensor in branch.initializer:
        added = graph.initializer.add()
        added.CopyFrom(tensor)
        added.name = names[tensor.name]
    ends = [
        helper.make_node("Identity", [names.get(value.name, value.name)], [name])
        for value, name in zip(branch.output, node.output, strict=True)
    ]
    place = next(index for index, each in enumerate(graph.node) if each is node or each.output == node.output)
    rest = list(itertools.islice(graph.node, place + 1, None))
    copies = [type(each).FromString(each.SerializeToString()) for each in rest]
    del graph.node[place:]
    graph.node.extend([*nodes, *ends, *copies])


def _rename(node: Any, names: Mapping[str, str]) -> None:
    """Other names for what a node and the graphs inside it read and make; inner graphs may hide a name by one of their own."""
    for values in (node.input, node.output):
        for place, name in enumerate(values):
            values[place] = names.get(name, name)
    for graph in inner_graphs(node):
        hidden = {name for inner in graph.node for name in inner.output} | {value.name for value in graph.input}
        outer = {name: new for name, new in names.items() if name not in hidden}
        for inner in graph.node:
            _rename(inner, outer)
        for value in graph.output:
            value.name = outer.get(value.name, value.name)
