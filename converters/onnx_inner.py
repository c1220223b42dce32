"""What the graphs inside an ONNX graph, the bodies of branches and loops, read from outside: onnxruntime's quantizer does not see it.

It removes weights that no node of the outer graph reads, and sorts nodes by their own inputs alone: no engine opens such a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from toolkit.formats.parts.onnx_graphs import all_graphs, inner_graphs


def own_constants(graph: Any) -> None:
    """Give each inner graph a copy of the constants of `graph` that its nodes read."""
    outer = {tensor.name: tensor for tensor in graph.initializer}
    for number, inner in enumerate(list(all_graphs(graph))[1:]):
        made = _made(inner)
        copies: dict[str, str] = {}
        for node in inner.node:
            for place, name in enumerate(node.input):
                if name in outer and name not in made:
                    if name not in copies:
                        copies[name] = f"{name}/inner_{number}"
                        own = inner.initializer.add()
                        own.CopyFrom(outer[name])
                        own.name = copies[name]
                    node.input[place] = copies[name]


def put_in_order(graph: Any) -> None:
    """Sort the nodes of `graph`, each after all that it and its inner graphs read, and else as they are."""
    makers = {name: number for number, node in enumerate(graph.node) for name in node.output if name}
    nodes, done = list(graph.node), set[int]()
    order: list[int] = []
    for first in range(len(nodes)):
        todo = [first]
        while todo:
            number = todo[-1]
            before = [makers[name] for name in _read(nodes[number]) if name in makers and makers[name] not in done and number not in done]
            if before:
                todo += before
                continue
            todo.pop()
            if number not in done:
                done.add(number)
                order.append(number)
    if order != sorted(order):
        copies = [nodes[number].__class__.FromString(nodes[number].SerializeToString()) for number in order]
        del graph.node[:]
        graph.node.extend(copies)


def _made(graph: Any) -> set[str]:
    """The names that a graph gives to its own values."""
    own = (*graph.input, *graph.initializer)
    return {value.name for value in own} | {name for node in graph.node for name in node.output}


def _read(node: Any) -> Iterator[str]:
    """The names that a node reads, and those that its inner graphs read from outside."""
    yield from node.input
    for inner in inner_graphs(node):
        made = _made(inner)
        read = (name for each in inner.node for name in _read(each))
        yield from (name for name in (*read, *(value.name for value in inner.output)) if name not in made)
