"""Which converters lead from one kind of artifact to another."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from toolkit.core import Format, InputError, Precision, discover

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
    if source.precision is not Precision.FP32:
        able = ", ".join(sorted(map(str, {source, *reachable(source)})))
        raise InputError(
            f"no {target if target.precision is source.precision else target.precision}: the source is {source} already",
            expected=f"one of {able}",
            hint="for others convert the float network that it was made of",
        )
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


def ways(source: Node, target: Node) -> tuple[Converter, ...]:
    """The converters that make `target` on the way from `source`: that of `plan`, then those that are tried where its result is wrong or
    there is none, which start at the source itself or at ONNX.

    No two kinds of artifacts wait for each other: ONNX itself is then made of the source alone.
    """
    first = plan(source, target)[-1]
    onnx = Node(Format.ONNX, Precision.FP32)
    able = [source] if target == onnx or onnx not in _paths(source) else [source, onnx]
    others = [each for each in all_converters() if each.target == target and each.source in able and each is not first]
    return (first, *sorted(others, key=lambda each: (able.index(each.source), each.fallback, each.name)))


def reachable(source: Node) -> set[Node]:
    """Every kind of artifact that can be made from `source`, without itself."""
    return set(_paths(source)) - {source}


def _paths(source: Node) -> dict[Node, tuple[Converter, ...]]:
    """The shortest path to each node, breadth first with the converters in order of name; fallbacks lead only where nothing else does.

    A float network is quantized in the format that is wanted, by that format's own quantizer: what another one has rounded is not read.
    """
    paths: dict[Node, tuple[Converter, ...]] = {source: ()}
    every = [each for each in all_converters() if source.precision.is_quantized or not _moves_integers(each)]
    _extend(paths, [each for each in every if not each.fallback])
    _extend(paths, every)
    return paths


def _moves_integers(converter: Converter) -> bool:
    return converter.source.precision.is_quantized and converter.source.format is not converter.target.format


def _extend(paths: dict[Node, tuple[Converter, ...]], converters: Sequence[Converter]) -> None:
    pending = deque(paths)
    while pending:
        node = pending.popleft()
        for converter in converters:
            if converter.source == node and converter.target not in paths:
                paths[converter.target] = (*paths[node], converter)
                pending.append(converter.target)
