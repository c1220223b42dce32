"""Convolutions, poolings and normalizations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .base import Node, Value, operator, tensor


@operator("Conv")
def _convolution(node: Node, image: Value, weight: Value, bias: Value = None) -> Value:
    import torch

    image, weight = tensor(image), tensor(weight)
    axes = image.dim() - 2
    dilations = node.get("dilations", [1] * axes)
    strides = node.get("strides", [1] * axes)
    windows = [(size - 1) * dilation + 1 for size, dilation in zip(weight.shape[2:], dilations, strict=True)]
    image, padding = _padded(image, _pads(node, image.shape[2:], windows, strides), 0.0)
    apply = getattr(torch.nn.functional, f"conv{axes}d")
    return apply(image, weight, None if bias is None else tensor(bias), strides, padding, dilations, node.get("group", 1))


@operator("ConvTranspose")
def _transposed(node: Node, image: Value, weight: Value, bias: Value = None) -> Value:
    import torch

    image, weight = tensor(image), tensor(weight)
    axes = image.dim() - 2
    strides, dilations = node.get("strides", [1] * axes), node.get("dilations", [1] * axes)
    more = list(node.get("output_padding", [0] * axes))
    full = [
        (size - 1) * stride + (kernel - 1) * dilation + 1 + extra
        for size, stride, kernel, dilation, extra in zip(image.shape[2:], strides, weight.shape[2:], dilations, more, strict=True)
    ]
    wanted = node.get("output_shape")
    automatic = node.get("auto_pad", "NOTSET")
    if wanted is None and automatic.startswith("SAME"):
        wanted = [size * stride for size, stride in zip(image.shape[2:], strides, strict=True)]
    if wanted is not None:
        total = [have - want for have, want in zip(full, wanted[-axes:], strict=True)]
        before = [each - each // 2 if automatic == "SAME_LOWER" else each // 2 for each in total]
        after = [each - first for each, first in zip(total, before, strict=True)]
    else:
        pads = [0] * (2 * axes) if automatic == "VALID" else node.get("pads", [0] * (2 * axes))
        before, after = list(pads[:axes]), list(pads[axes:])
    apply = getattr(torch.nn.functional, f"conv_transpose{axes}d")
    bias = None if bias is None else tensor(bias)
    group = node.get("group", 1)
    if before == after and min(before) >= 0:
        return apply(image, weight, bias, strides, before, more, group, dilations)
    found = apply(image, weight, bias, strides, 0, more, group, dilations)
    for axis, (first, last) in enumerate(zip(before, after, strict=True)):
        if min(first, last) < 0:
            raise node.cannot("an output larger than what the kernels reach")
        found = found.narrow(axis + 2, first, full[axis] - first - last)
    return found


def _pads(node: Node, sizes: Sequence[int], windows: Sequence[int], strides: Sequence[int]) -> tuple[list[int], list[int]]:
    """What is added before and after each axis of the image."""
    axes = len(sizes)
    automatic = node.get("auto_pad", "NOTSET")
    if automatic.startswith("SAME"):
        total = [
            max((math.ceil(size / stride) - 1) * stride + window - size, 0)
            for size, window, stride in zip(sizes, windows, strides, strict=True)
        ]
        before = [each - each // 2 if automatic == "SAME_LOWER" else each // 2 for each in total]
        return before, [each - first for each, first in zip(total, before, strict=True)]
    pads = [0] * (2 * axes) if automatic == "VALID" else list(node.get("pads", [0] * (2 * axes)))
    return pads[:axes], pads[axes:]


def _padded(image: Any, pads: tuple[list[int], list[int]], value: float) -> tuple[Any, list[int]]:
    """The image, and the padding of both sides that is left to the operator: it knows no two different ones."""
    import torch

    before, after = pads
    if before == after:
        return image, before
    both = [each for pair in zip(reversed(before), reversed(after), strict=True) for each in pair]
    return torch.nn.functional.pad(image, both, value=value), [0] * len(before)


def _pool(node: Node, image: Any, value: float) -> tuple[Any, list[int], list[int]]:
    """The image with its borders, the ceil of its windows included, its windows and strides."""
    import torch

    window = list(node.get("kernel_shape"))
    strides = list(node.get("strides", [1] * len(window)))
    dilations = node.get("dilations", [1] * len(window))
    spans = [(size - 1) * dilation + 1 for size, dilation in zip(window, dilations, strict=True)]
    before, after = _pads(node, image.shape[2:], spans, strides)
    if node.get("ceil_mode", 0):
        for axis, (size, span, stride) in enumerate(zip(image.shape[2:], spans, strides, strict=True)):
            have = size + before[axis] + after[axis] - span
            count = -(-have // stride)
            # A window that would begin behind the image and its first border is none.
            count -= count * stride >= size + before[axis]
            after[axis] += max(count * stride - have, 0)
    both = [each for pair in zip(reversed(before), reversed(after), strict=True) for each in pair]
    return torch.nn.functional.pad(image, both, value=value) if any(both) else image, window, strides


@operator("MaxPool")
def _largest(node: Node, image: Value) -> Value:
    import torch

    if node.outputs > 1:
        raise node.cannot("its second output")
    axes = image.dim() - 2
    lowest = -math.inf if image.is_floating_point() else torch.iinfo(image.dtype).min
    image, window, strides = _pool(node, image, lowest)
    return getattr(torch.nn.functional, f"max_pool{axes}d")(image, window, strides, dilation=node.get("dilations", [1] * axes))


@operator("AveragePool")
def _average(node: Node, image: Value) -> Value:
    import torch

    apply = getattr(torch.nn.functional, f"avg_pool{image.dim() - 2}d")
    padded, window, strides = _pool(node, image, 0.0)
    found = apply(padded, window, strides)
    if padded.shape == image.shape:
        return found
    # How much of each window counts is the same for every image: a constant.
    ones = np.ones([1, 1, *image.shape[2:]], np.float32)
    if node.get("count_include_pad", 0):
        before, after = _pads(node, image.shape[2:], window, strides)
        ones = np.pad(ones, [(0, 0), (0, 0), *zip(before, after, strict=True)], constant_values=1)
        rest = [(0, have - own) for have, own in zip(padded.shape, [1, 1, *ones.shape[2:]], strict=True)]
        ones = np.pad(ones, [(0, 0), (0, 0), *rest[2:]])
    else:
        before, _ = _pads(node, image.shape[2:], window, strides)
        ones = np.pad(
            ones,
            [(0, 0), (0, 0)]
            + [(first, have - own - first) for first, have, own in zip(before, padded.shape[2:], image.shape[2:], strict=True)],
        )
    view = np.lib.stride_tricks.sliding_window_view(ones[0, 0], window)[tuple(slice(None, None, stride) for stride in strides)]
    share = view.mean(tuple(range(view.ndim - len(window), view.ndim)))[None, None]
    return found if np.all(share == 1) else found / tensor(share.astype(np.float32))


@operator("GlobalAveragePool", "GlobalMaxPool")
def _whole(node: Node, image: Value) -> Value:
    axes = list(range(2, image.dim()))
    return image.mean(axes, keepdim=True) if node.type == "GlobalAveragePool" else image.amax(axes, keepdim=True)


def _channels(value: Value, rank: int) -> Any:
    return tensor(value).reshape([1, -1, *[1] * (rank - 2)])


@operator("BatchNormalization")
def _batch_normalization(node: Node, image: Value, scale: Value, bias: Value, mean: Value, variance: Value) -> Value:  # noqa: PLR0917 - the operator's
    import torch

    return torch.nn.functional.batch_norm(
        image, tensor(mean), tensor(variance), tensor(scale), tensor(bias), training=False, eps=node.get("epsilon", 1e-5)
    )


def _normalized(value: Any, axes: list[int], epsilon: float) -> Any:
    centred = value - value.mean(axes, keepdim=True)
    return centred / ((centred * centred).mean(axes, keepdim=True) + epsilon).sqrt()


@operator("InstanceNormalization")
def _instance_normalization(node: Node, image: Value, scale: Value, bias: Value) -> Value:
    found = _normalized(image, list(range(2, image.dim())), node.get("epsilon", 1e-5))
    return found * _channels(scale, image.dim()) + _channels(bias, image.dim())


@operator("GroupNormalization")
def _group_normalization(node: Node, image: Value, scale: Value, bias: Value) -> Value:
    groups = node.get("num_groups")
    grouped = image.reshape([image.shape[0], groups, -1])
    found = _normalized(grouped, [2], node.get("epsilon", 1e-5))
    scale, bias = tensor(scale), tensor(bias)
    if scale.shape[0] == groups != image.shape[1]:  # Before operator set 21 there is one for each group.
        return (found * scale[None, :, None] + bias[None, :, None]).reshape(image.shape)
    return found.reshape(image.shape) * _channels(scale, image.dim()) + _channels(bias, image.dim())


@operator("LayerNormalization")
def _layer_normalization(node: Node, value: Value, scale: Value, bias: Value = None) -> Value:
    import torch

    if node.outputs > 1:
        raise node.cannot("its mean as an output")
    shape = list(value.shape[node.get("axis", -1) % value.dim() :])
    scale, bias = tensor(scale), None if bias is None else tensor(bias)
    if list(scale.shape) == shape:
        return torch.nn.functional.layer_norm(value, shape, scale, bias, node.get("epsilon", 1e-5))
    found = torch.nn.functional.layer_norm(value, shape, None, None, node.get("epsilon", 1e-5)) * scale
    return found if bias is None else found + bias


@operator("RMSNormalization")
def _root_normalization(node: Node, value: Value, scale: Value) -> Value:
    axes = list(range(node.get("axis", -1) % value.dim(), value.dim()))
    return value / ((value * value).mean(axes, keepdim=True) + node.get("epsilon", 1e-5)).sqrt() * tensor(scale)


@operator("LRN")
def _local_response(node: Node, image: Value) -> Value:
    import torch

    return torch.nn.functional.local_response_norm(
        image, node.get("size"), alpha=node.get("alpha", 1e-4), beta=node.get("beta", 0.75), k=node.get("bias", 1.0)
    )
