"""The last steps of a quantized ONNX graph in float: 256 levels for an output make equals of what was not."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from onnx import GraphProto, NodeProto

_QUANTIZE, _DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
# What only rearranges, adds, or bends: behind these the last operator with weights is looked for.
_THROUGH = frozenset(
    [
        "Add",
        "Cast",
        "Clip",
        "Concat",
        "Flatten",
        "Identity",
        "LogSoftmax",
        "Mul",
        "Relu",
        "Reshape",
        "Sigmoid",
        "Softmax",
        "Squeeze",
        "Tanh",
        "Transpose",
        "Unsqueeze",
    ]
)


def bends_at_outputs(graph: GraphProto) -> list[str]:
    """The names of what cuts values off between the last operators with weights and the outputs.

    The quantizer takes these away, since the levels in front of them hold no other values: `float_outputs` takes the levels away.
    """
    made, todo, found = _makers(graph), [value.name for value in graph.output], dict[str, None]()
    seen: set[str] = set()
    while todo:
        node = made.get(todo.pop())
        if node is None or node.output[0] in seen or node.op_type not in _THROUGH:
            continue
        seen.add(node.output[0])
        if node.op_type in {"Clip", "Relu"}:
            found[node.name] = None
        todo += list(node.input)
    return list(found)


def float_outputs(graph: GraphProto) -> int:
    """Take away, in place, each pair of quantization and dequantization between a graph output and the last operators with weights.

    Those operators keep their quantized inputs and weights; what they give is no longer rounded. On a policy net the rounding of the
    logits alone cost 1.0 of 1.2 points of agreement with its search. Returns how many pairs went.
    """
    removed = 0
    for output in [value.name for value in graph.output]:
        made = _makers(graph)
        pair = _pair(made, output)
        if pair is not None:
            source = pair[0].input[0]
            if source not in made:
                continue  # An input that is an output.
            readers = [node for node in graph.node if output in node.input]
            _rename(graph, source, output)
            _keep_for(readers, pair[1], output)
            if not readers:
                graph.node.remove(pair[1])
            removed += 1
    made = _makers(graph)
    todo, seen = [value.name for value in graph.output], set[str]()
    while todo:
        node = made.get(todo.pop())
        if node is None or node.name in seen or node.op_type not in _THROUGH:
            continue
        seen.add(node.name)
        for position, name in enumerate(node.input):
            pair = _pair(made, name)
            if pair is not None:
                node.input[position] = pair[0].input[0]
                removed += 1
        todo += list(node.input)
    _drop_unused(graph)
    return removed


def _makers(graph: GraphProto) -> dict[str, NodeProto]:
    return {name: node for node in graph.node for name in node.output}


def _pair(made: dict[str, NodeProto], name: str) -> tuple[NodeProto, NodeProto] | None:
    """The quantization and dequantization through which a tensor came; a constant has no quantization."""
    last = made.get(name)
    first = made.get(last.input[0]) if last is not None and last.op_type == _DEQUANTIZE else None
    return (first, last) if first is not None and last is not None and first.op_type == _QUANTIZE else None


def _keep_for(readers: Iterable[NodeProto], dequantize: NodeProto, output: str) -> None:
    """What computes on with an output does so in integers, by another name."""
    dequantize.output[0] = rounded = f"{output}/rounded"
    for node in readers:
        for place, name in enumerate(node.input):
            node.input[place] = rounded if name == output else name


def _rename(graph: GraphProto, old: str, new: str) -> None:
    """Give a tensor the name of the graph output that it becomes."""
    for node in graph.node:
        for names in (node.input, node.output):
            for position, name in enumerate(names):
                # The output's own dequantization goes away, it must not make the name twice.
                if name == old and not (names is node.output and node.op_type == _DEQUANTIZE):
                    names[position] = new


def _drop_unused(graph: GraphProto) -> None:
    """Remove quantizations that nothing reads."""
    while True:
        used = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
        unused = [node for node in graph.node if node.op_type in {_QUANTIZE, _DEQUANTIZE} and not used.intersection(node.output)]
        if not unused:
            break
        for node in unused:
            graph.node.remove(node)
    used = {name for node in graph.node for name in node.input}
    for constant in [constant for constant in graph.initializer if constant.name not in used]:
        graph.initializer.remove(constant)
