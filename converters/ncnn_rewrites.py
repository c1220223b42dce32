"""Operators that pnnx does not know or gets wrong, as others of the same result: changes to an ONNX graph for one sample."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from toolkit.core import ConversionError, Signature

_BRANCHES = frozenset({"If", "Loop", "Scan"})


def simplify(model: Any, signature: Signature) -> None:
    """Change `model`, an `onnx.ModelProto`, so that pnnx understands it: for the batch 1, with known shapes.

    Raises:
        ConversionError: the graph has branches or loops.
    """
    import onnx

    for value, spec in [*zip(model.graph.input, signature.inputs, strict=True), *zip(model.graph.output, signature.outputs, strict=True)]:
        for size, number in zip(value.type.tensor_type.shape.dim, spec.concrete(1), strict=True):
            size.dim_value = number
    branches = sorted({node.op_type for node in model.graph.node} & _BRANCHES)
    if branches:
        raise ConversionError("ncnn has no branches and loops", got=", ".join(branches))
    del model.graph.value_info[:]  # They hold the free batch.
    model.CopyFrom(onnx.shape_inference.infer_shapes(model, data_prop=True))
    graph = _Graph(model.graph)
    rewrites = (_embedding, _largest, _one_axis, _part)
    graph.keep([new for node in model.graph.node for new in [each for rewrite in rewrites for each in rewrite(graph, node)] or [node]])


class _Graph:
    """An ONNX graph whose shapes are known."""

    def __init__(self, proto: Any) -> None:
        import onnx

        self._proto = proto
        self.constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in proto.initializer}
        self.maker = {name: node for node in proto.node for name in node.output}
        values = [*proto.input, *proto.output, *proto.value_info]
        self._shapes = {value.name: [size.dim_value for size in value.type.tensor_type.shape.dim] for value in values}

    def shape(self, name: str) -> list[int]:
        """The sizes of a tensor; empty where they are not known."""
        found = self._shapes.get(name, [])
        return found if all(found) else []

    def integers(self, node: Any, name: str, place: int = 0) -> list[int] | None:
        """The attribute `name`, or the input at `place` that took over from it in a later set of operators; None without a constant."""
        for attribute in node.attribute:
            if attribute.name == name:
                return [*attribute.ints] or [attribute.i]
        found = self.constants.get(node.input[place]) if 0 < place < len(node.input) else None
        return None if found is None else [int(number) for number in np.ravel(found)]

    def constant(self, numbers: Sequence[int]) -> str:
        """The name of a new constant with these numbers."""
        import onnx

        name = f"ncnn.{len(self.constants)}"
        self.constants[name] = np.array(numbers, np.int64)
        self._proto.initializer.append(onnx.numpy_helper.from_array(self.constants[name], name))
        return name

    def keep(self, nodes: Sequence[Any]) -> None:
        """Make `nodes` the graph's, without those, and without the constants, that nothing reads."""
        wanted = {value.name for value in self._proto.output}
        kept = []
        for node in reversed(nodes):
            if wanted.intersection(node.output):
                wanted.update(node.input)
                kept.append(node)
        tensors = [tensor for tensor in self._proto.initializer if tensor.name in wanted]
        del self._proto.node[:], self._proto.initializer[:]
        self._proto.node.extend(reversed(kept))
        self._proto.initializer.extend(tensors)


def _embedding(graph: _Graph, node: Any) -> Iterator[Any]:
    """A look-up of rows without its axis, which is the first anyway: with it pnnx sees no embedding."""
    table = graph.constants.get(node.input[0]) if node.op_type == "Gather" else None
    if table is not None and table.ndim == 2 and node.input[1] not in graph.constants and graph.integers(node, "axis") == [0]:
        yield _node("Gather", node.input, node.output[0])


def _largest(graph: _Graph, node: Any) -> Iterator[Any]:
    """The maximum along some axes as a pooling over an image with those axes as its height."""
    if node.op_type != "ReduceMax" or not graph.shape(node.input[0]) or not graph.shape(node.output[0]):
        return
    source, target, shape = node.input[0], node.output[0], graph.shape(node.input[0])
    axes = sorted(axis % len(shape) for axis in graph.integers(node, "axes", 1) or range(len(shape)))
    rest = [axis for axis in range(1, len(shape)) if axis not in axes]
    if 0 in axes:
        return
    if (rest, axes) != ([1], [2, 3]):
        image = [1, math.prod(shape[axis] for axis in rest), math.prod(shape[axis] for axis in axes), 1]
        yield _node("Transpose", [source], f"{target}.turned", perm=[0, *rest, *axes])
        yield _node("Reshape", [f"{target}.turned", graph.constant(image)], f"{target}.image")
        source = f"{target}.image"
    yield _node("GlobalMaxPool", [source], f"{target}.largest")
    yield _node("Reshape", [f"{target}.largest", graph.constant(graph.shape(target))], target)


def _one_axis(graph: _Graph, node: Any) -> Iterator[Any]:
    """A mean or a sum along one axis as one along it and another of size 1: of a single axis pnnx writes none."""
    shape, target = graph.shape(node.input[0]), node.output[0]
    axes = graph.integers(node, "axes", 1) if node.op_type.startswith("Reduce") and shape else None
    if axes is None or len(axes) != 1 or axes[0] % len(shape) == 0 or node.op_type == "ReduceMax":
        return
    axis = axes[0] % len(shape)
    keeps = graph.shape(target) if (graph.integers(node, "keepdims") or [1])[0] else None
    yield _node("Reshape", [node.input[0], graph.constant([*shape[: axis + 1], 1, *shape[axis + 1 :]])], f"{target}.wide")
    narrow = f"{target}.narrow" if keeps else target
    if len(node.input) > 1:
        yield _node(node.op_type, [f"{target}.wide", graph.constant([axis, axis + 1])], narrow, keepdims=0)
    else:
        yield _node(node.op_type, [f"{target}.wide"], narrow, keepdims=0, axes=[axis, axis + 1])
    if keeps:
        yield _node("Reshape", [narrow, graph.constant(keeps)], target)


def _part(graph: _Graph, node: Any) -> Iterator[Any]:
    """One of several equal parts of the last axis, which was made an axis of parts, turned, and cut: cut at once.

    That is how attention takes queries, keys and values out of one product. On the way it has five axes, and ncnn has four.
    """
    cut = _cut(graph, node)
    if cut is None:
        return
    turned, axis, index = cut
    order = [*range(len(graph.shape(turned)))]
    before = graph.maker.get(turned)
    if before is not None and before.op_type == "Transpose":
        order = graph.integers(before, "perm") or order[::-1]
        before = graph.maker.get(before.input[0])
    if before is None or before.op_type != "Reshape":
        return
    own, parted, place = graph.shape(before.input[0]), graph.shape(before.output[0]), order[axis]
    if not own or not parted or parted[:place] != own[:-1]:
        return
    size, target = math.prod(parted[place + 1 :]), node.output[0]
    begin, end, last = (graph.constant([number]) for number in (index * size, (index + 1) * size, len(own) - 1))
    yield _node("Slice", [before.input[0], begin, end, last], f"{target}.part")
    yield _node("Reshape", [f"{target}.part", graph.constant(parted[:place] + parted[place + 1 :])], f"{target}.parted")
    yield _node("Transpose", [f"{target}.parted"], target, perm=[old - (old > place) for old in order if old != place])


def _cut(graph: _Graph, node: Any) -> tuple[str, int, int] | None:
    """The tensor, the axis and the index where `node` ends the choice of one place along an axis, which then is gone."""
    if node.op_type == "Gather" and graph.shape(node.input[0]):
        index, shape = graph.constants.get(node.input[1]), graph.shape(node.input[0])
        if index is None or index.ndim:
            return None
        axis = (graph.integers(node, "axis") or [0])[0] % len(shape)
        return node.input[0], axis, int(index) % shape[axis]
    before = graph.maker.get(node.input[0]) if node.op_type == "Squeeze" else None
    if before is None or before.op_type != "Slice" or not graph.shape(before.input[0]):
        return None
    names = ("starts", "ends", "axes", "steps")
    begin, end, axes, step = (graph.integers(before, name, place) for place, name in enumerate(names, start=1))
    if begin is None or end is None or axes is None or len(axes) != 1 or step not in (None, [1]):
        return None
    size = len(graph.shape(before.input[0]))
    gone = [axis % size for axis in graph.integers(node, "axes", 1) or []]
    chosen = begin[0] >= 0 and end[0] == begin[0] + 1 and gone == [axes[0] % size]
    return (before.input[0], axes[0] % size, begin[0]) if chosen else None


def _node(kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> Any:
    import onnx

    return onnx.helper.make_node(kind, inputs, [output], name=output, **attributes)
