"""Operators that a converter refuses or gets wrong, as others of the same result: changes to the graph of an exported program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_MOST_STORED = 2048
"""More numbers than this stay what they are made of."""


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


def store_constants(module: Any) -> None:
    """Store what is made of numbers alone, such as ``eye(2, 3)``: litert-torch counts places by an operator that TF Lite does not have."""
    import torch

    for place, node in enumerate(list(module.graph.nodes)):
        made = node.op == "call_function" and isinstance(node.target, torch._ops.OpOverload) and not node.all_input_nodes
        if not made or torch.Tag.nondeterministic_seeded in node.target.tags:
            continue
        value = node.target(*node.args, **node.kwargs)
        if isinstance(value, torch.Tensor) and value.numel() <= _MOST_STORED:
            module.register_buffer(name := f"stored_{place}", value)
            with module.graph.inserting_before(node):
                _replace(node, module.graph.get_attr(name))
    module.recompile()


def multiply_grids(module: Any) -> bool:
    """Make a product with a constant grid of the grid that an affine map moves, where its sizes are known; whether there was one.

    litert-torch counts the grid's places by an operator of StableHLO that TF Lite does not have.
    """
    import torch

    aten = torch.ops.aten
    found = False
    for node in list(module.graph.nodes):
        if node.target is not aten.affine_grid_generator.default:
            continue
        theta, size, align = [*node.args, False][:3]
        height, width = size[-2:]
        if len(size) != 4 or not (isinstance(height, int) and isinstance(width, int)):
            continue
        found = True
        rows, columns = (_places(length, align=align) for length in (height, width))
        grid = torch.stack([columns.repeat(height), rows.repeat_interleave(width), torch.ones(height * width)], 1)
        name = f"grid_{height}_{width}_{int(align)}"
        module.register_buffer(name, grid)
        with module.graph.inserting_before(node):
            turned = module.graph.call_function(aten.transpose.int, (theta, 1, 2))
            moved = module.graph.call_function(aten.matmul.default, (module.graph.get_attr(name), turned))
            _replace(node, module.graph.call_function(aten.reshape.default, (moved, [-1, height, width, 2])))
    module.recompile()
    return found


def _places(length: int, *, align: bool) -> Any:
    """Where the pixels of a row lie: between its outer edges at -1 and 1, or with `align` between the middles of its outer pixels."""
    import torch

    ends = 1.0 if align and length > 1 else (length - 1) / length
    return torch.linspace(-ends, ends, length)


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
