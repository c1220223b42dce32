"""A spectrum of which only the real part is kept, in ONNX: a rule for tf2onnx, which has one for magnitudes alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

_THROUGH = frozenset({"Identity", "Reshape", "Squeeze"})
_REAL = frozenset({"Cast", "Real"})


def angles(points: int) -> np.ndarray:
    """``2 pi k t / n`` as float64 ``[n, n // 2 + 1]``: each of n points t by each frequency k that a real signal needs."""
    return np.outer(np.arange(points), np.arange(points // 2 + 1)) % points * (2 * np.pi / points)


def real_spectrum(graph: Any, node: Any, name: str, arguments: Sequence[Any]) -> Any:  # noqa: ARG001 - tf2onnx's order
    """Replace an RFFT2D node over rows of one line, ``[..., 1, n]``, by a product with cosines: the real part of the n-point transform of a
    real signal x is ``sum over t of x[t] cos(2 pi k t / n)`` for k of 0 to n / 2. What is no such node is left to tf2onnx.
    """
    from tf2onnx.onnx_opset.signal import RFFT2DOp

    lines, points = (int(size) for size in node.inputs[1].get_tensor_value())
    shape = graph.get_shape(node.input[0])
    made = _complex_values(graph, node)
    if made is None or lines != 1 or shape is None or list(shape[-2:]) != [1, points]:
        return RFFT2DOp.version_13(graph, node)
    cosines = graph.make_const(f"{node.name}_cosines", np.cos(angles(points)).astype(np.float32))
    (source, _), (target,) = node.input, node.output
    kind, size = cosines.output_dtypes[0], [*shape[:-1], points // 2 + 1]
    for each in made:
        graph.set_dtype(each, kind)
    graph.remove_node(node.name)
    return graph.make_node("MatMul", [source, cosines.output[0]], outputs=[target], name=node.name, shapes=[size], dtypes=[kind])


def _complex_values(graph: Any, node: Any) -> list[str] | None:
    """The names of all complex values behind a node up to where they become real; None where they are used otherwise."""
    names = [node.output[0]]
    for name in names:
        for reader in graph.find_output_consumers(name):
            if reader.type in _THROUGH:
                names.append(reader.output[0])
            elif reader.type not in _REAL:
                return None
    return names
