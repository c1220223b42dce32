"""Images at other sizes, and images sampled at places that the network computes.

https://onnx.ai/onnx/operators/onnx__Resize.html has the formulas.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .base import Node, Value, numbers, operator, tensor


@operator("Resize", "Upsample")
def _resize(node: Node, image: Value, *given: Value) -> Value:
    region, scales, sizes = (*given, None, None, None)[:3] if node.type == "Resize" else (None, *given, None, None)[:3]
    if node.get("antialias", 0) or (node.get("coordinate_transformation_mode", "") == "tf_crop_and_resize" and region is not None):
        raise node.cannot("antialias and tf_crop_and_resize")
    rank = image.dim()
    axes = [axis % rank for axis in node.get("axes", range(rank))]
    shape, ratios = list(image.shape), [1.0] * rank
    wanted = numbers(node, sizes, "sizes")
    factors = [float(each) for each in np.ravel(scales if isinstance(scales, np.ndarray) else node.get("scales", []))]
    if not wanted and not factors:
        raise node.cannot("its scales depend on the values of the inputs")
    if wanted and node.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise node.cannot("keep_aspect_ratio_policy")
    for place, axis in enumerate(axes):
        ratios[axis] = wanted[place] / shape[axis] if wanted else factors[place]
        shape[axis] = wanted[place] if wanted else math.floor(shape[axis] * factors[place])
    changed = [axis for axis in range(rank) if shape[axis] != image.shape[axis]]
    short = _by_torch(node, image, shape, ratios, changed)
    if short is not None:
        return short
    for axis in changed:
        image = _along(node, image, axis, shape[axis], ratios[axis])
    return image


def _by_torch(node: Node, image: Any, shape: Sequence[int], ratios: Sequence[float], changed: Sequence[int]) -> Any:
    """By torch's own operator, for which formats have one of theirs; None where that would be another result."""
    import torch

    exact = all(shape[axis] / image.shape[axis] == ratios[axis] for axis in changed)
    how = node.get("coordinate_transformation_mode", "half_pixel")
    linear = node.get("mode", "nearest") == "linear" and how in {"half_pixel", "pytorch_half_pixel", "align_corners"}
    if not (exact and linear and image.dim() == 4 and set(changed) <= {2, 3}) or any(shape[axis] < 2 for axis in changed):
        return None
    size = list(shape[2:])
    return torch.nn.functional.interpolate(image, size=size, mode="bilinear", align_corners=how == "align_corners")


def _along(node: Node, image: Any, axis: int, length: int, ratio: float) -> Any:
    """The image with `length` places along one axis, each the sum of weighted neighbours whose places are known."""
    own = image.shape[axis]
    places = _places(node, np.arange(length, dtype=np.float64), own=own, length=length, ratio=ratio)
    mode = node.get("mode", "nearest")
    if mode == "nearest":
        rounded = _rounded(node, places)
        return image.index_select(axis, tensor(np.clip(rounded, 0, own - 1).astype(np.int64)))
    base = np.floor(places)
    part = places - base
    weights = [(0, 1 - part), (1, part)] if mode == "linear" else _cubic(part, node.get("cubic_coeff_a", -0.75))
    if mode == "cubic" and node.get("exclude_outside", 0):
        inside = [(offset, weight * ((base + offset >= 0) & (base + offset < own))) for offset, weight in weights]
        total = sum(weight for _, weight in inside)
        weights = [(offset, weight / total) for offset, weight in inside]
    shape = [-1 if place == axis else 1 for place in range(image.dim())]
    result = None
    for offset, weight in weights:
        taken = image.index_select(axis, tensor(np.clip(base + offset, 0, own - 1).astype(np.int64)))
        term = taken * tensor(np.asarray(weight, np.float32).reshape(shape))
        result = term if result is None else result + term
    return result


def _places(node: Node, numbers_: np.ndarray, *, own: int, length: int, ratio: float) -> Any:
    """Where in the image each place of the result is."""
    how = node.get("coordinate_transformation_mode", "half_pixel" if node.type == "Resize" else "asymmetric")
    if how == "asymmetric":
        return numbers_ / ratio
    if how == "align_corners":
        return numbers_ * (own - 1) / (length - 1) if length > 1 else np.zeros_like(numbers_)
    if how == "pytorch_half_pixel" and length == 1:
        return np.zeros_like(numbers_)
    if how in {"half_pixel", "pytorch_half_pixel"}:
        return (numbers_ + 0.5) / ratio - 0.5
    if how == "half_pixel_symmetric":
        adjustment = length / (own * ratio)
        return own / 2 * (1 - adjustment) + (numbers_ + 0.5) / ratio - 0.5
    raise node.cannot(f"coordinate_transformation_mode {how}")


def _rounded(node: Node, places: np.ndarray) -> Any:
    how = node.get("nearest_mode", "round_prefer_floor" if node.type == "Resize" else "floor")
    if how == "floor":
        return np.floor(places)
    if how == "ceil":
        return np.ceil(places)
    return np.floor(places + 0.5) if how == "round_prefer_ceil" else np.ceil(places - 0.5)


def _cubic(part: np.ndarray, a: float) -> list[tuple[int, np.ndarray]]:
    def near(x: np.ndarray) -> Any:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x: np.ndarray) -> Any:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return [(-1, far(part + 1)), (0, near(part)), (1, near(1 - part)), (2, far(2 - part))]


@operator("GridSample")
def _grid_sample(node: Node, image: Value, grid: Value) -> Value:
    import torch

    mode = {"linear": "bilinear", "cubic": "bicubic"}.get(node.get("mode", "linear"), node.get("mode", "linear"))
    return torch.nn.functional.grid_sample(
        image,
        tensor(grid),
        mode=mode,
        padding_mode=node.get("padding_mode", "zeros"),
        align_corners=bool(node.get("align_corners", 0)),
    )
