"""Operators that go along axes: products of matrices, sums, the largest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .base import Node, Value, axes_of, numbers, operator, tensor


@operator("MatMul")
def _product(_: Node, one: Value, other: Value) -> Value:
    return tensor(one) @ tensor(other)


@operator("Gemm")
def _general_product(node: Node, one: Value, other: Value, bias: Value = None) -> Value:
    import torch

    one, other = tensor(one), tensor(other)
    alpha, beta = node.get("alpha", 1.0), node.get("beta", 1.0)
    one = one.t() if node.get("transA", 0) else one
    if alpha == beta == 1 and node.get("transB", 0) and (bias is None or np.ndim(bias) == 1):
        return torch.nn.functional.linear(one, other, None if bias is None else tensor(bias))
    result = one @ (other.t() if node.get("transB", 0) else other)
    result = result if alpha == 1 else result * alpha
    return result if bias is None else result + (tensor(bias) if beta == 1 else tensor(bias) * beta)


@operator("Einsum")
def _einsum(node: Node, *values: Value) -> Value:
    import torch

    return torch.einsum(node.get("equation"), *map(tensor, values))


def _product_along(value: Any, axes: list[int], *, keepdim: bool) -> Any:
    for axis in sorted(axes, reverse=True):  # torch multiplies along one axis at a time.
        value = value.prod(axis, keepdim=keepdim)
    return value


_REDUCTIONS: dict[str, Callable[..., Any]] = {
    "ReduceMean": lambda value, axes, keepdim: value.mean(axes, keepdim=keepdim),
    "ReduceSum": lambda value, axes, keepdim: value.sum(axes, keepdim=keepdim, dtype=value.dtype),
    "ReduceMax": lambda value, axes, keepdim: value.amax(axes, keepdim=keepdim),
    "ReduceMin": lambda value, axes, keepdim: value.amin(axes, keepdim=keepdim),
    "ReduceL1": lambda value, axes, keepdim: value.abs().sum(axes, keepdim=keepdim),
    "ReduceL2": lambda value, axes, keepdim: (value * value).sum(axes, keepdim=keepdim).sqrt(),
    "ReduceSumSquare": lambda value, axes, keepdim: (value * value).sum(axes, keepdim=keepdim),
    "ReduceLogSum": lambda value, axes, keepdim: value.sum(axes, keepdim=keepdim).log(),
    "ReduceLogSumExp": lambda value, axes, keepdim: value.logsumexp(axes, keepdim=keepdim),
    "ReduceProd": _product_along,
}


@operator(*_REDUCTIONS)
def _reduce(node: Node, value: Value, axes: Value = None) -> Value:
    rank = value.dim()
    found = axes_of(node, axes, rank)
    if not found and node.get("noop_with_empty_axes", 0):
        return value
    return _REDUCTIONS[node.type](value, found or list(range(rank)), keepdim=bool(node.get("keepdims", 1)))


@operator("ArgMax", "ArgMin")
def _best(node: Node, value: Value) -> Value:
    axis, keep = node.get("axis", 0) % value.dim(), bool(node.get("keepdims", 1))
    last = bool(node.get("select_last_index", 0))
    found = getattr(value.flip(axis) if last else value, node.type.lower())(axis, keepdim=keep)
    return value.shape[axis] - 1 - found if last else found


@operator("TopK")
def _top(node: Node, value: Value, count: Value) -> Value:
    import torch

    (k,) = numbers(node, count, "count")
    found = torch.topk(value, k, dim=node.get("axis", -1), largest=bool(node.get("largest", 1)), sorted=True)
    return found.values, found.indices


@operator("CumSum")
def _running(node: Node, value: Value, axis: Value) -> Value:
    import torch

    (place,) = (each % value.dim() for each in numbers(node, axis, "axis"))
    value = value.flip(place) if node.get("reverse", 0) else value
    found = torch.cumsum(value, place, dtype=value.dtype)
    found = found - value if node.get("exclusive", 0) else found
    return found.flip(place) if node.get("reverse", 0) else found


@operator("LpNormalization")
def _normalized(node: Node, value: Value) -> Value:
    axis = node.get("axis", -1)
    size = (value * value).sum(axis, keepdim=True).sqrt() if node.get("p", 2) == 2 else value.abs().sum(axis, keepdim=True)
    return value / size
