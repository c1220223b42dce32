"""The signatures of a TF Lite file are one network at several sizes: which of their operators are the same, and what follows for others.

A converter folds each by itself: where a batch of one makes a transposition a mere reshape, or leaves it out, the signatures have other
operators that move values, and to count operators would name others in each.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.formats.tflite import Graph, layer_name, read_graphs, signature_graphs

_MOVES = frozenset({"BROADCAST_TO", "EXPAND_DIMS", "RESHAPE", "SQUEEZE", "TRANSPOSE"})
"""Operators whose output has the values of their first input."""
_Key = tuple[str, str, int]
"""A move by its kind, what makes its values, and how many such moves of them are before it."""


def name_operators(file: Path) -> None:
    """Name what each operator gives after the operator: ``<signature>/<kind>_<number>``, the same in every signature that has it; what
    the first one lacks gets numbers that the first one does not use.

    The converters' own names say neither, and one name may belong to other operators in another signature.
    """
    from ai_edge_quantizer.utils import tfl_flatbuffer_utils

    model = tfl_flatbuffer_utils.read_model(str(file))
    own = {signature.subgraphIndex: signature.signatureKey.decode() for signature in model.signatureDefs or []}
    graphs = read_graphs(file)
    first = graphs[next(iter(own), 0)]
    for index, graph in enumerate(graphs):
        tensors = model.subgraphs[index].tensors
        # A graph that an operator calls is no signature, and has no counterpart.
        for node, name in zip(graph.nodes, names_like(first if index in own else graph, graph), strict=True):
            for place, tensor in enumerate(node.outputs):
                tensors[tensor].name = (f"{own.get(index, index)}/{name}" + (f".{place}" if place else "")).encode()
    tfl_flatbuffer_utils.write_model(model, str(file))


def names_like(first: Graph, graph: Graph) -> list[str]:
    """A name for each operator of `graph`: that of its counterpart in `first` where it has one."""
    counts: Counter[str] = Counter()

    def counted(kind: str) -> str:
        counts[kind] += 1
        return f"{kind.lower()}_{counts[kind] - 1}"

    given = [counted(node.type) for node in first.nodes]
    if [node.type for node in graph.nodes] == [node.type for node in first.nodes]:
        return given
    moves: dict[_Key, str] = {}
    left = (name for node, name in zip(first.nodes, given, strict=True) if node.type in _MOVES)
    _named(first, dict(_computing(first, given)), lambda key: moves.setdefault(key, next(left)))
    names = _counterparts(first, given, graph)
    return _named(graph, names, lambda key: moves.get(key) or counted(key[0]))


def _named(graph: Graph, known: Mapping[int, str], name: Callable[[_Key], str]) -> list[str]:
    """The names of all operators of which some are known by their place, in order."""
    made = {tensor: f"input {place}" for place, tensor in enumerate(graph.inputs)}
    seen: Counter[tuple[str, str]] = Counter()
    names = []
    for place, node in enumerate(graph.nodes):
        if (found := known.get(place)) is None:
            source = made.get(node.inputs[0], "") if node.inputs else ""
            found = name((node.type, source, seen[node.type, source]))
            seen[node.type, source] += 1
        names.append(found)
        made |= {tensor: f"{found}.{output}" for output, tensor in enumerate(node.outputs)}
    return names


def _computing(graph: Graph, of_all: Iterable[Any]) -> list[tuple[int, Any]]:
    """The places of the operators that compute, each with what stands for it in `of_all`."""
    return [(place, each) for place, (node, each) in enumerate(zip(graph.nodes, of_all, strict=True)) if node.type not in _MOVES]


def _counterparts(first: Graph, given: Sequence[str], graph: Graph) -> dict[int, str]:
    """The names of the operators of `graph` that compute what those of `first` do, by their place: the longest runs of the same kinds."""
    theirs, own = _computing(first, given), _computing(graph, graph.nodes)
    kinds = [first.nodes[place].type for place, _ in theirs], [node.type for _, node in own]
    if kinds[0] == kinds[1]:
        return {place: name for (place, _), (_, name) in zip(own, theirs, strict=True)}
    blocks = difflib.SequenceMatcher(None, *kinds, autojunk=False).get_matching_blocks()
    return {own[block.b + k][0]: theirs[block.a + k][1] for block in blocks for k in range(block.size)}


def float_too(file: Path, keep_float: Collection[str]) -> set[str]:
    """Operators that only other signatures than the first have, and that stay in float where those of the first named do: each reads what
    one in float gives, or gives what one in float reads where it reads the network's input.
    """
    first, *others = signature_graphs(file)
    known = {layer_name(first, node) for node in first.nodes}
    found: set[str] = set()
    for graph in others:
        named = [(node, layer_name(graph, node)) for node in graph.nodes]
        floats = {tensor: name in keep_float for node, name in named if name in known for tensor in node.outputs}
        for node, name in named:
            if name and name not in known:
                sources = [floats[tensor] for tensor in node.inputs if tensor in floats]
                stays = any(sources) if sources else _read_in_float(graph, node.outputs, keep_float)
                floats |= dict.fromkeys(node.outputs, stays)
                found |= {name} if stays else set()
    return found


def _read_in_float(graph: Graph, tensors: Collection[int], keep_float: Collection[str]) -> bool:
    """Whether something in float reads one of the tensors, or what is moved of it."""
    for node in graph.nodes:
        if set(tensors).isdisjoint(node.inputs):
            continue
        if layer_name(graph, node) in keep_float or (node.type in _MOVES and _read_in_float(graph, node.outputs, keep_float)):
            return True
    return False


def moved_ranges(file: Path, ranges: Mapping[str, Any]) -> dict[str, Any]:
    """The ranges of tensors that have none, and whose values are moved from one that has."""
    found: dict[str, Any] = {}
    for graph in signature_graphs(file):
        for node in graph.nodes:
            source, target = (graph.tensors[each].name for each in (node.inputs[0], node.outputs[0])) if node.inputs else ("", "")
            if node.type in _MOVES and target not in ranges and (value := ranges.get(source, found.get(source))) is not None:
                found[target] = value
    return found


def compute_alike(file: Path) -> bool:
    """Whether the signatures differ in nothing but operators that move values."""
    graphs = signature_graphs(file)
    return len({frozenset(layer_name(graph, node) for node in graph.nodes if node.type not in _MOVES) for graph in graphs}) == 1
