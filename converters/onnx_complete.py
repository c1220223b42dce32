"""What an ONNX file may lack and still run in ONNX Runtime, though `onnx.checker` and the quantizers ask for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from toolkit.formats.parts.onnx_graphs import inner_graphs

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto


def complete(model: ModelProto) -> None:
    """Fill in, in place, what the graph leaves out: its name, nodes in the order of computation, types and shapes of its outputs.

    Files that were cut out of a larger graph or written by hand lack some of it. Nothing that stands there is changed, and what cannot
    be inferred stays missing: `onnx.checker` names it.
    """
    graph = model.graph
    graph.name = graph.name or "graph"
    put_in_order(graph)
    if any(_lacks_shape(value) for value in graph.value_info):
        # They say nothing, and `onnx.checker` stops at them.
        kept = [value for value in graph.value_info if not _lacks_shape(value)]
        del graph.value_info[:]
        graph.value_info.extend(kept)
    if any(_lacks_shape(output) for output in graph.output):
        _infer_outputs(model)


def _lacks_shape(value: Any) -> bool:
    return not value.HasField("type") or value.type.WhichOneof("value") is None or _is_tensor_without_shape(value.type)


def _is_tensor_without_shape(type_: Any) -> bool:
    return type_.WhichOneof("value") == "tensor_type" and not type_.tensor_type.HasField("shape")


def _infer_outputs(model: ModelProto) -> None:
    import onnx

    # A description without a shape would be in the way of what is inferred: it says nothing that the nodes do not.
    described = [value for value in model.graph.value_info if not _lacks_shape(value)]
    del model.graph.value_info[:]
    model.graph.value_info.extend(described)
    inferred = {value.name: value for value in onnx.shape_inference.infer_shapes(model, data_prop=True).graph.output}
    for output in model.graph.output:
        if _lacks_shape(output) and not _lacks_shape(inferred[output.name]):
            output.type.CopyFrom(inferred[output.name].type)


def put_in_order(graph: GraphProto) -> None:
    """Put each node behind those that it reads, and leave a graph alone in which that is so; one that runs in a circle stays as it is."""
    makers = {name: index for index, node in enumerate(graph.node) for name in node.output if name}
    needs = [{makers[name] for name in _read_by(node) if name in makers} for node in graph.node]
    if all(max(needed, default=-1) < index for index, needed in enumerate(needs)):
        return
    order: dict[int, None] = {}
    todo = list(reversed(range(len(needs))))
    waiting: set[int] = set()
    while todo:
        index = todo[-1]
        missing = [needed for needed in sorted(needs[index], reverse=True) if needed not in order]
        if index in order or not missing:
            order.setdefault(todo.pop())
        elif index in waiting:
            return  # A circle: it waits for itself.
        else:
            waiting.add(index)
            todo += missing
    nodes = [graph.node[index] for index in order]
    copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)


def _read_by(node: NodeProto) -> Iterator[str]:
    """The tensors that a node reads, in the graphs of its branches and loops too, some of which are those graphs' own."""
    yield from node.input
    for graph in inner_graphs(node):
        yield from (output.name for output in graph.output)
        for inner in graph.node:
            yield from _read_by(inner)
