"""`STFT` of an ONNX file as a convolution, which every engine has: the windows over time times cosines and sines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from toolkit.formats.parts.onnx_graphs import inner_graphs

from .spectra import angles

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto


def waves(points: int, window: np.ndarray | None) -> np.ndarray:
    """The kernels ``float[2 * (points // 2 + 1), 1, points]`` of a real signal's transform: by frequency a cosine, then a sine that is
    turned over, each times the window.
    """
    turns = angles(points).T
    both = np.stack([np.cos(turns), -np.sin(turns)], axis=1).reshape(-1, 1, points)
    return (both if window is None else both * window).astype(np.float32 if window is None else window.dtype)


def stft_as_convolution(model: ModelProto) -> int:
    """Replace, in place, each `STFT` of a real signal whose window and step are constants; returns how many there were."""
    return sum(_replace(graph, constants) for graph, constants in _graphs(model.graph, {}))


def _graphs(graph: GraphProto, around: Mapping[str, np.ndarray]) -> Iterator[tuple[GraphProto, Mapping[str, np.ndarray]]]:
    """A graph and those of its branches and loops, each with the constants that it sees."""
    import onnx

    own = {each.name: each for each in graph.initializer}
    own |= {node.output[0]: each.t for node in graph.node if node.op_type == "Constant" for each in node.attribute if each.name == "value"}
    asked = {name for node in graph.node if node.op_type == "STFT" for name in node.input}
    seen = {**around, **{name: onnx.numpy_helper.to_array(each) for name, each in own.items() if name in asked}}
    yield graph, seen
    for node in graph.node:
        for inner in inner_graphs(node):
            yield from _graphs(inner, seen)


def _replace(graph: GraphProto, constants: Mapping[str, np.ndarray]) -> int:
    count = 0
    nodes: list[NodeProto] = []
    for node in graph.node:
        made = _convolution(graph, node, constants) if node.op_type == "STFT" and not node.domain else None
        count += made is not None
        nodes += [node] if made is None else made
    if count:
        copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
        del graph.node[:]
        graph.node.extend(copies)
    return count


def _convolution(graph: GraphProto, node: NodeProto, constants: Mapping[str, np.ndarray]) -> list[NodeProto] | None:
    from onnx import helper, numpy_helper

    signal, step, window, length = (*node.input, "", "")[:4]
    onesided = next((each.i for each in node.attribute if each.name == "onesided"), 1)
    if not onesided or any(name and name not in constants for name in (step, window, length)) or not (window or length):
        return None  # A signal of complex numbers has two sides; of what the inputs decide no kernel can be made.
    points = int(constants[length]) if length else len(constants[window])
    kernels = waves(points, constants[window] if window else None)
    name = node.output[0]
    given = {
        "rows": np.array([0, 1, -1], np.int64),
        "kernels": kernels,
        "pairs": np.array([0, 0, points // 2 + 1, 2], np.int64),
    }
    graph.initializer.extend(numpy_helper.from_array(array, f"{name}/{key}") for key, array in given.items())
    return [
        helper.make_node("Reshape", [signal, f"{name}/rows"], [f"{name}/signal"]),
        helper.make_node("Conv", [f"{name}/signal", f"{name}/kernels"], [f"{name}/waves"], strides=[int(constants[step])]),
        helper.make_node("Transpose", [f"{name}/waves"], [f"{name}/frames"], perm=[0, 2, 1]),
        helper.make_node("Reshape", [f"{name}/frames", f"{name}/pairs"], [name], name=node.name),
    ]
