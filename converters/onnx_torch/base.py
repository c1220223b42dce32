"""What the operators share: a node's attributes, and constants beside tensors.

A value is a `torch.Tensor` that depends on the inputs, or a `numpy.ndarray` that does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from toolkit.core import ConversionError

Value = Any
"""A tensor, an array, or None for an input that is left out."""

Operator = Callable[..., Value]
"""Of a `Node` and its inputs, the output, or a tuple of outputs."""

OPERATORS: dict[str, Operator] = {}
"""By the operator's name in ONNX."""

LONGEST = 128
"""More steps than this make a program that takes minutes to convert."""


@dataclass(frozen=True)
class Node:
    """A node of the graph."""

    type: str
    name: str
    """Or that of its first output."""
    attributes: Mapping[str, Any]
    """As `onnx.helper.get_attribute_value` gives them."""
    outputs: int
    """How many of its outputs are asked for, counted to the last one."""

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute; text as text."""
        value = self.attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else value

    def cannot(self, why: str) -> ConversionError:
        """The error for what this module has not."""
        return ConversionError(f"{self.type} ('{self.name}') has no equivalent in torch: {why}")


def operator(*types: str) -> Callable[[Operator], Operator]:
    """Register a function for these operators."""

    def register(function: Operator) -> Operator:
        OPERATORS.update(dict.fromkeys(types, function))
        return function

    return register


def tensor(value: Value) -> Any:
    """A value as a tensor."""
    import torch

    # Of an array that may not be written torch warns; and negative strides it does not have.
    return torch.from_numpy(np.array(value)) if isinstance(value, np.ndarray | np.generic) else value


def numbers(node: Node, value: Value, what: str) -> list[int]:
    """The whole numbers of a constant; raises `ConversionError` where it depends on the inputs."""
    if value is None:
        return []
    if not isinstance(value, np.ndarray | np.generic):
        raise node.cannot(f"its {what} depends on the values of the inputs")
    return [int(each) for each in np.ravel(value)]


def axes_of(node: Node, value: Value, rank: int) -> list[int]:
    """The axes of a node from its attribute or its input, none negative; empty where neither names any."""
    axes = node.get("axes") if value is None else numbers(node, value, "axes")
    return [axis % rank for axis in axes or []]


def paired(values: Sequence[Value]) -> list[Any]:
    """The values as tensors of one dtype: a constant of one number takes that of the tensors."""
    return [tensor(value) for value in values]
