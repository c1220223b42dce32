"""What only moves values in an ONNX graph, between operations that are in integers or in float."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import Any

from toolkit.formats.parts.onnx_layers import MOVES

_THROUGH = MOVES | {"Clip", "Relu"}


def moves_in_float(graph: Any, integers: Collection[str]) -> list[str]:
    """The names of the moves in an `onnx.GraphProto` that need no integers: what they move comes neither from an operation in ``integers``,
    given by their names, nor from outside, or goes to none.
    """
    makers = {name: node for node in graph.node for name in node.output if name}
    readers: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    inputs = {value.name for value in graph.input} - {tensor.name for tensor in graph.initializer}

    @cache
    def given(name: str) -> bool:
        """Whether the values of a tensor come from integers, or from outside."""
        node = makers.get(name)
        if node is None:
            return name in inputs
        return any(map(given, _data(node))) if node.op_type in _THROUGH else node.name in integers

    @cache
    def taken(name: str) -> bool:
        """Whether the values of a tensor go to something in integers."""
        return any(any(map(taken, node.output)) if node.op_type in _THROUGH else node.name in integers for node in readers.get(name, ()))

    moves = [node for node in graph.node if node.op_type in MOVES]
    return [node.name for node in moves if not (any(map(given, _data(node))) and any(map(taken, node.output)))]


def _data(node: Any) -> list[str]:
    """The inputs that hold values; the others are shapes and places."""
    return [name for name in (node.input if node.op_type == "Concat" else node.input[:1]) if name]
