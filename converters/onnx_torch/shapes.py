"""Operators that move values without computing with them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .base import Node, Value, axes_of, numbers, operator, tensor


@operator("Reshape")
def _reshape(node: Node, value: Value, shape: Value) -> Value:
    value, sizes = tensor(value), numbers(node, shape, "shape")
    if not node.get("allowzero", 0):
        sizes = [value.shape[place] if size == 0 else size for place, size in enumerate(sizes)]
    return value.reshape(sizes)


@operator("Flatten")
def _flatten(node: Node, value: Value) -> Value:
    axis = node.get("axis", 1)
    return value.reshape([math.prod(value.shape[:axis]), -1])


@operator("Squeeze")
def _squeeze(node: Node, value: Value, axes: Value = None) -> Value:
    dropped = axes_of(node, axes, value.dim()) or [axis for axis, size in enumerate(value.shape) if size == 1]
    return value.reshape([size for axis, size in enumerate(value.shape) if axis not in dropped])


@operator("Unsqueeze")
def _unsqueeze(node: Node, value: Value, axes: Value = None) -> Value:
    words = node.get("axes") if axes is None else numbers(node, axes, "axes")
    for axis in sorted(axis % (value.dim() + len(words)) for axis in words):
        value = value.unsqueeze(axis)
    return value


@operator("Transpose")
def _transpose(node: Node, value: Value) -> Value:
    return tensor(value).permute(node.get("perm", list(reversed(range(value.dim())))))


@operator("Concat")
def _concatenate(node: Node, *values: Value) -> Value:
    import torch

    tensors = [tensor(value) for value in values]
    return torch.cat([each for each in tensors if each.numel()] or tensors[:1], node.get("axis"))


@operator("Split")
def _split(node: Node, value: Value, sizes: Value = None) -> Value:
    axis = node.get("axis", 0)
    wanted = numbers(node, sizes, "sizes") or list(node.get("split") or [])
    if not wanted:
        count = node.get("num_outputs", node.outputs)
        each = -(-value.shape[axis] // count)
        wanted = [each] * (count - 1) + [value.shape[axis] - each * (count - 1)]
    return tuple(value.split(wanted, axis))


@operator("Slice")
def _cut(node: Node, value: Value, *bounds: Value) -> Value:
    value = tensor(value)
    starts, ends, axes, steps = [numbers(node, each, "bounds") for each in (*bounds, None, None, None, None)[:4]]
    for place, (start, end) in enumerate(zip(starts, ends, strict=True)):
        axis = axes[place] % value.dim() if axes else place
        step = steps[place] if steps else 1
        size = value.shape[axis]
        rows = range(size)[start:end:step]
        if step > 0:
            value = value[(*[slice(None)] * axis, slice(rows.start, rows.stop, step))]
        elif len(rows) == size and step == -1:
            value = value.flip(axis)
        else:
            value = value.index_select(axis, tensor(np.array(rows, np.int64)))
    return value


@operator("Gather")
def _gather(node: Node, value: Value, places: Value) -> Value:
    import torch

    value, axis = tensor(value), node.get("axis", 0)
    axis %= value.dim()
    if isinstance(places, np.ndarray | np.generic):
        places = np.asarray(places, np.int64) % value.shape[axis]
        if places.ndim == 0:
            return value.select(axis, int(places))
    else:
        places = places.to(torch.int64)
        places = torch.where(places < 0, places + value.shape[axis], places)
    shape = [*value.shape[:axis], *places.shape, *value.shape[axis + 1 :]]
    return value.index_select(axis, tensor(places).reshape(-1)).reshape(shape)


@operator("GatherElements")
def _gather_elements(node: Node, value: Value, places: Value) -> Value:
    import torch

    value, places, axis = tensor(value), tensor(places).to(torch.int64), node.get("axis", 0)
    return value.gather(axis, torch.where(places < 0, places + value.shape[axis], places))


@operator("GatherND")
def _gather_places(node: Node, value: Value, places: Value) -> Value:
    import torch

    if node.get("batch_dims", 0):
        raise node.cannot("batch_dims")
    value, places = tensor(value), tensor(places).to(torch.int64)
    depth = places.shape[-1]
    flat, found = torch.zeros(places.shape[:-1], dtype=torch.int64), value.reshape([-1, *value.shape[depth:]])
    for axis in range(depth):
        own = places[..., axis]
        flat = flat * value.shape[axis] + torch.where(own < 0, own + value.shape[axis], own)
    return found.index_select(0, flat.reshape(-1)).reshape([*places.shape[:-1], *value.shape[depth:]])


@operator("ScatterND")
def _scatter(node: Node, value: Value, places: Value, updates: Value) -> Value:
    import torch

    if node.get("reduction", "none") != "none":
        raise node.cannot(f"reduction {node.get('reduction')}")
    value, updates = tensor(value), tensor(updates)
    if not isinstance(places, np.ndarray):
        raise node.cannot("its places depend on the values of the inputs")
    depth = places.shape[-1]
    flat = np.zeros(places.shape[:-1], np.int64)
    for axis in range(depth):
        flat = flat * value.shape[axis] + places[..., axis] % value.shape[axis]
    rows = math.prod(value.shape[:depth])
    # The places are known, so that each row comes either from the value or from the updates: a choice, which every format has.
    chosen = np.arange(rows)
    chosen[flat.ravel()] = rows + np.arange(flat.size)
    tail = list(value.shape[depth:])
    both = torch.cat([value.reshape([rows, *tail]), updates.reshape([flat.size, *tail]).to(value.dtype)])
    return both.index_select(0, tensor(chosen)).reshape(value.shape)


@operator("ScatterElements")
def _scatter_elements(node: Node, value: Value, places: Value, updates: Value) -> Value:
    if node.get("reduction", "none") != "none":
        raise node.cannot(f"reduction {node.get('reduction')}")
    return tensor(value).scatter(node.get("axis", 0), tensor(places), tensor(updates))


@operator("Expand")
def _expand(node: Node, value: Value, shape: Value) -> Value:
    value = tensor(value)
    return value.expand(np.broadcast_shapes(tuple(value.shape), tuple(numbers(node, shape, "shape"))))


@operator("Tile")
def _tile(node: Node, value: Value, times: Value) -> Value:
    return value.repeat(numbers(node, times, "repeats"))


@operator("Pad")
def _pad(node: Node, value: Value, pads: Value = None, filling: Value = None, axes: Value = None) -> Value:
    import torch

    rank, mode = value.dim(), node.get("mode", "constant")
    if mode not in {"constant", "reflect", "edge", "wrap"}:
        raise node.cannot(f"mode {mode}")
    given = numbers(node, pads, "pads") or list(node.get("pads", []))
    chosen = axes_of(node, axes, rank) or list(range(rank))
    before, after = [0] * rank, [0] * rank
    for place, axis in enumerate(chosen):
        before[axis], after[axis] = given[place], given[place + len(chosen)]
    number = filling.item() if isinstance(filling, np.ndarray | np.generic) else 0 if filling is None else None
    if mode == "constant" and number is None:
        raise node.cannot("its value depends on the inputs")
    for axis in range(rank):  # A negative border cuts.
        cut_before, cut_after = max(-before[axis], 0), max(-after[axis], 0)
        value = value.narrow(axis, cut_before, value.shape[axis] - cut_before - cut_after) if cut_before or cut_after else value
    before, after = [max(each, 0) for each in before], [max(each, 0) for each in after]
    if mode == "constant":
        both = [each for pair in zip(reversed(before), reversed(after), strict=True) for each in pair]
        return torch.nn.functional.pad(value, both, value=number) if any(both) else value
    for axis in range(rank):
        if before[axis] or after[axis]:
            # np.pad says which place each border repeats.
            places = np.pad(np.arange(value.shape[axis]), (before[axis], after[axis]), mode)
            value = value.index_select(axis, tensor(places))
    return value


@operator("DepthToSpace")
def _depth_to_space(node: Node, image: Value) -> Value:
    batch, channels, height, width = image.shape
    block = node.get("blocksize")
    rest = channels // block**2
    if node.get("mode", "DCR") == "CRD":
        parts = image.reshape([batch, rest, block, block, height, width]).permute(0, 1, 4, 2, 5, 3)
    else:
        parts = image.reshape([batch, block, block, rest, height, width]).permute(0, 3, 4, 1, 5, 2)
    return parts.reshape([batch, rest, height * block, width * block])


@operator("SpaceToDepth")
def _space_to_depth(node: Node, image: Value) -> Value:
    batch, channels, height, width = image.shape
    block = node.get("blocksize")
    parts = image.reshape([batch, channels, height // block, block, width // block, block]).permute(0, 3, 5, 1, 2, 4)
    return parts.reshape([batch, channels * block**2, height // block, width // block])


@operator("OneHot")
def _one_hot(node: Node, places: Value, depth: Value, values: Value) -> Value:
    import torch

    (count,) = numbers(node, depth, "depth")
    axis = node.get("axis", -1) % (places.dim() + 1)
    classes = torch.arange(count).reshape([count, *[1] * (places.dim() - axis)])
    places = places.to(torch.int64).unsqueeze(axis)
    off, on = tensor(values).reshape(-1).unbind()
    return torch.where(torch.where(places < 0, places + count, places) == classes, on, off)


@operator("Trilu")
def _triangle(node: Node, value: Value, diagonal: Value = None) -> Value:
    offset = (numbers(node, diagonal, "diagonal") or [0])[0]
    # A constant mask: some converters have no operator for it.
    rows, columns = value.shape[-2:]
    mask = np.tri(rows, columns, k=offset - 1 if node.get("upper", 1) else offset, dtype=bool)
    return _masked(value, ~mask if node.get("upper", 1) else mask)


def _masked(value: Any, mask: np.ndarray) -> Any:
    import torch

    return torch.where(tensor(mask), value, torch.zeros((), dtype=value.dtype))
