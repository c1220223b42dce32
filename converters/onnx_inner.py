"""What the graphs inside an ONNX graph, the bodies of branches and loops, read from outside: onnxruntime's quantizer does not see it.

It removes weights that no node of the outer graph reads, and no engine opens such a file.
"""

from __future__ import annotations

from typing import Any

from toolkit.formats.parts.onnx_graphs import all_graphs


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


def _made(graph: Any) -> set[str]:
    """The names that a graph gives to its own values."""
    own = (*graph.input, *graph.initializer)
    return {value.name for value in own} | {name for node in graph.node for name in node.output}
