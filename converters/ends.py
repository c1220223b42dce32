"""What comes behind the last layers of a network, where the parts of an output get their meaning and are joined."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Operation:
    """An operation of a float model."""

    name: str
    """As `Calibrated.write` takes it."""
    reads: tuple[int, ...]
    """The numbers of the operations whose results it reads."""


@dataclass(frozen=True)
class Graph:
    """The operations of a float model."""

    operations: tuple[Operation, ...]
    ends: Mapping[str, int]
    """The number of the operation that gives an output, by the output's name."""


def float_ends(graph: Graph, outputs: Collection[str], *, layers: Collection[str]) -> list[frozenset[str]]:
    """Names of operations to leave in float, so that the parts of `outputs` have ranges of their own; the fewest first.

    1. What is between the last layers and the outputs: squashing functions, scales and offsets of each part, and what joins them.
    2. Those last layers too: one layer may give several parts.

    Args:
        layers: names of what multiplies matrices; nothing before the last of them is looked at.
    """
    behind: set[int] = set()
    last: set[int] = set()
    todo = [graph.ends[name] for name in outputs if name in graph.ends]
    while todo:
        number = todo.pop()
        if graph.operations[number].name in layers:
            last.add(number)
        elif number not in behind:
            behind.add(number)
            todo += graph.operations[number].reads
    names = [frozenset(graph.operations[number].name for number in numbers) for numbers in (behind, behind | last)]
    return [each for place, each in enumerate(names) if each and each not in names[:place]]
