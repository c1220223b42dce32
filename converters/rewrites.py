"""Operators that a converter refuses or gets wrong, as others of the same result: changes to the graph of an exported program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_LONGEST = 2048
"""Along more numbers than this a product would take too many megabytes; FNet's longest is 768."""


def concatenate_repeats(module: Any) -> None:
    """Repeat by concatenation what is repeated along an axis of length 1 and then reshaped, and what `repeat_interleave` repeats.

    That is how one head of keys serves several queries. litert-torch loses the transposition behind it without a word.
    """
    import torch

    aten = torch.ops.aten
    graph = module.graph
    for node in list(graph.nodes):
        if node.target is aten.expand.default and any(user.target in {aten.reshape.default, aten.view.default} for user in node.users):
            tensor, sizes = node.args[:2]
            own = _shape(tensor)
            with graph.inserting_before(node):
                for axis in range(-len(own), 0):
                    if isinstance(own[axis], int) and own[axis] == 1 and isinstance(sizes[axis], int) and sizes[axis] > 1:
                        tensor = graph.call_function(aten.cat.default, ([tensor] * sizes[axis], axis))
            node.update_arg(0, tensor)
        elif node.target is aten.repeat_interleave.self_int and len(node.args) == 3 and isinstance(node.args[1], int):
            tensor, times, axis = node.args
            axis %= len(_shape(node))
            with graph.inserting_before(node):
                one = graph.call_function(aten.unsqueeze.default, (tensor, axis + 1))
                every = graph.call_function(aten.cat.default, ([one] * times, axis + 1))
                _replace(node, graph.call_function(aten.flatten.using_ints, (every, axis, axis + 1)))
    module.recompile()


def multiply_fourier(module: Any) -> bool:
    """Make products with constant matrices of cosines and sines of the Fourier transforms whose complex result is only looked at for
    its real or its imaginary part; whether there was one. TF Lite has no complex numbers, and OpenVINO transforms the wrong axis.

    A transform along n numbers multiplies by ``exp(-2 pi i j k / n)``, whose real part is a cosine and whose imaginary part minus a sine.
    """
    import torch

    aten = torch.ops.aten
    found = False
    for node in list(module.graph.nodes):
        axes = _axes(node)
        if not axes or any(user.target not in {aten.real.default, aten.imag.default} for user in node.users):
            continue
        found = True
        with module.graph.inserting_before(node):
            real, imaginary = node.args[0], None
            for axis in axes:
                real, imaginary = _transformed(module, real, imaginary, axis, _shape(node))
        for user in list(node.users):
            _replace(user, real if user.target is aten.real.default else imaginary)
        module.graph.erase_node(node)
    module.recompile()
    return found


def average_whole_images(module: Any) -> bool:
    """Make a mean over the image of a pooling whose window is larger than it; whether there was one.

    torch takes such a window with ``ceil_mode``, and divides by what of the image lies in it; OpenVINO refuses it.
    """
    import torch

    aten = torch.ops.aten
    found = False
    for node in list(module.graph.nodes):
        if node.target is not aten.avg_pool2d.default or len(node.args) < 5 or node.kwargs:
            continue
        image, window, _, padding, ceil_mode, *rest = node.args
        sizes = _shape(image)[-2:]
        fixed = bool(sizes) and all(isinstance(size, int) for size in sizes)
        if ceil_mode and fixed and not any(padding) and not any(rest[1:]) and min(window) > max(sizes):
            found = True
            with module.graph.inserting_before(node):
                _replace(node, module.graph.call_function(aten.mean.dim, (image, [-2, -1], True)))
    module.recompile()
    return found


def _shape(node: Any) -> Sequence[Any]:
    """The sizes of what a node gives; empty where the program does not say."""
    value = node.meta.get("val")
    return () if value is None else tuple(value.shape)


def _replace(node: Any, other: Any) -> None:
    other.meta = dict(node.meta)
    node.replace_all_uses_with(other)
    node.graph.erase_node(node)


def _axes(node: Any) -> list[int]:
    """The axes of a node that is the plain Fourier transform of float32 numbers along fixed lengths; else none."""
    import torch

    aten = torch.ops.aten
    defaults: dict[Any, Any] = {aten.fft_fft.default: -1, aten.fft_fft2.default: [-2, -1], aten.fft_fftn.default: None}
    if node.target not in defaults or node.kwargs or getattr(node.args[0].meta.get("val"), "dtype", None) is not torch.float32:
        return []
    length, axes, norm = [*node.args[1:], None, None, None][:3]
    shape = _shape(node)
    axes = defaults[node.target] if len(node.args) < 3 else axes
    every: Sequence[int] = range(len(shape)) if axes is None else [axes] if isinstance(axes, int) else axes
    fixed = all(isinstance(shape[axis], int) and shape[axis] <= _LONGEST for axis in every)
    return list(every) if fixed and length is None and norm in {None, "backward"} else []


def _transformed(module: Any, real: Any, imaginary: Any, axis: int, shape: Sequence[Any]) -> tuple[Any, Any]:
    """The real and the imaginary part of the transform along one axis; of real numbers `imaginary` is None."""
    import torch

    graph, aten, length = module.graph, torch.ops.aten, shape[axis]
    last = axis in {-1, len(shape) - 1}
    numbers = torch.arange(length)
    # Reduced while they are whole: the cosine of a large number is inexact.
    angles = (numbers[:, None] * numbers % length).double() * (2 * torch.pi / length)

    def product(part: Any, name: str, matrix: Any) -> Any:
        module.register_buffer(name, matrix.float())
        rows = part if last else graph.call_function(aten.transpose.int, (part, axis, -1))
        result = graph.call_function(aten.matmul.default, (rows, graph.get_attr(name)))
        return result if last else graph.call_function(aten.transpose.int, (result, axis, -1))

    def turned(part: Any) -> tuple[Any, Any]:
        return product(part, f"fourier_cos_{length}", angles.cos()), product(part, f"fourier_sin_{length}", -angles.sin())

    cosines, sines = turned(real)
    if imaginary is None:
        return cosines, sines
    cosines_of_imaginary, sines_of_imaginary = turned(imaginary)
    return (
        graph.call_function(aten.sub.Tensor, (cosines, sines_of_imaginary)),
        graph.call_function(aten.add.Tensor, (sines, cosines_of_imaginary)),
    )
