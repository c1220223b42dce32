"""Which converters lead from one kind of artifact to another."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from toolkit.core import InputError, discover

from .base import Converter, Node


def all_converters() -> tuple[Converter, ...]:
    """Every converter in this folder and of other distributions, sorted by name."""
    return discover("toolkit.converters.edges", Converter)


def plan(source: Node, target: Node) -> tuple[Converter, ...]:
    """The shortest path of converters from `source` to `target`, none when they are the same; of equally short ones the first by name.
    A variant is reached as its default is.

    Raises:
        InputError: no path; says which precisions the format has, or what can be reached.
    """
    path = _paths(source).get(replace(target, variant=""))
    if path is not None:
        return path
    known = sorted({converter.target.precision for converter in all_converters() if converter.target.format is target.format})
    if known and target.precision not in known:
        raise InputError(
            f"{target.format} has no {target.precision} converter", expected=f"one of {', '.join(known)}", got=str(target.precision)
        )
    raise InputError(
        f"no way from {source} to {target}",
        expected=f"one of {', '.join(sorted(map(str, reachable(source)))) or 'nothing'}",
        hint="start from the trained model's .pt2 artifact",
    )


def reachable(source: Node) -> set[Node]:
    """Every kind of artifact that can be made from `source`, without itself."""
    return set(_paths(source)) - {source}


def _paths(source: Node) -> dict[Node, tuple[Converter, ...]]:
    """The shortest path to each node, breadth first with the converters in order of name."""
    paths: dict[Node, tuple[Converter, ...]] = {source: ()}
    pending = deque([source])
    while pending:
        node = pending.popleft()
        for converter in all_converters():
            if converter.source == node and converter.target not in paths:
                paths[converter.target] = (*paths[node], converter)
                pending.append(converter.target)
    return paths
