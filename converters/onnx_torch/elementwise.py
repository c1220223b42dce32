"""Operators that look at one place of each input."""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import OPERATORS, Node, Value, operator, tensor

_SAME_NAME = {
    "Abs": "abs",
    "Acos": "acos",
    "Acosh": "acosh",
    "Asin": "asin",
    "Asinh": "asinh",
    "Atan": "atan",
    "Atanh": "atanh",
    "Ceil": "ceil",
    "Cos": "cos",
    "Cosh": "cosh",
    "Erf": "erf",
    "Exp": "exp",
    "Floor": "floor",
    "IsNaN": "isnan",
    "Log": "log",
    "Neg": "neg",
    "Not": "logical_not",
    "Reciprocal": "reciprocal",
    "Relu": "relu",
    "Round": "round",
    "Sigmoid": "sigmoid",
    "Sign": "sign",
    "Sin": "sin",
    "Sinh": "sinh",
    "Sqrt": "sqrt",
    "Tan": "tan",
    "Tanh": "tanh",
    "Add": "add",
    "Sub": "sub",
    "Mul": "mul",
    "And": "logical_and",
    "Or": "logical_or",
    "Xor": "logical_xor",
    "Equal": "eq",
    "Less": "lt",
    "LessOrEqual": "le",
    "Greater": "gt",
    "GreaterOrEqual": "ge",
    "BitwiseAnd": "bitwise_and",
    "BitwiseOr": "bitwise_or",
    "BitwiseXor": "bitwise_xor",
    "BitwiseNot": "bitwise_not",
}
_DTYPES = {1: "float32", 2: "uint8", 3: "int8", 5: "int16", 6: "int32", 7: "int64", 9: "bool", 10: "float16", 11: "float64", 16: "bfloat16"}
"""Of torch, by the numbers of `onnx.TensorProto`."""


def _named(name: str) -> Any:
    def apply(node: Node, *values: Value) -> Value:  # noqa: ARG001 - the interface of all operators
        import torch

        return getattr(torch, name)(*map(tensor, values))

    return apply


OPERATORS.update({type_: _named(name) for type_, name in _SAME_NAME.items()})


@operator("Identity", "Dropout")
def _same(_: Node, value: Value, *__: Value) -> Value:
    return value


@operator("Div")
def _divide(_: Node, one: Value, other: Value) -> Value:
    import torch

    one, other = tensor(one), tensor(other)
    return torch.div(one, other) if one.is_floating_point() else torch.div(one, other, rounding_mode="trunc")


@operator("Mod")
def _remainder(node: Node, one: Value, other: Value) -> Value:
    import torch

    return (torch.fmod if node.get("fmod", 0) else torch.remainder)(tensor(one), tensor(other))


@operator("Pow")
def _power(_: Node, base: Value, exponent: Value) -> Value:
    base = tensor(base)
    if isinstance(exponent, np.ndarray) and exponent.size == 1:
        number = exponent.item()
        # A square is exact; the power of a library is not, and of a negative base it is none in some engines.
        return base * base if number == 2 else base.sqrt() if number == 0.5 else base.pow(number)
    return base.pow(tensor(exponent)).to(base.dtype)


@operator("Sum", "Max", "Min", "Mean")
def _folded(node: Node, *values: Value) -> Value:
    import torch

    first, *rest = map(tensor, values)
    pair = {"Max": torch.maximum, "Min": torch.minimum}.get(node.type, torch.add)
    for each in rest:
        first = pair(first, each)
    return first / len(values) if node.type == "Mean" else first


@operator("Where")
def _where(_: Node, condition: Value, one: Value, other: Value) -> Value:
    import torch

    return torch.where(tensor(condition), tensor(one), tensor(other))


@operator("Cast")
def _cast(node: Node, value: Value) -> Value:
    import torch

    if node.get("to") not in _DTYPES:
        raise node.cannot(f"type {node.get('to')}")
    return value.to(getattr(torch, _DTYPES[node.get("to")]))


@operator("CastLike")
def _cast_like(_: Node, value: Value, other: Value) -> Value:
    return tensor(value).to(tensor(other).dtype)


@operator("Clip")
def _clip(node: Node, value: Value, low: Value = None, high: Value = None) -> Value:
    import torch

    low, high = (node.get("min") if low is None else low), (node.get("max") if high is None else high)
    low, high = (each.item() if isinstance(each, np.ndarray) else each for each in (low, high))
    return value if low is None and high is None else torch.clamp(tensor(value), low, high)


@operator("IsInf")
def _infinite(node: Node, value: Value) -> Value:
    found = value.isinf()
    found = found & (value < 0) if not node.get("detect_positive", 1) else found
    return found & (value > 0) if not node.get("detect_negative", 1) else found


@operator("LeakyRelu")
def _leaky(node: Node, value: Value) -> Value:
    import torch

    return torch.nn.functional.leaky_relu(value, node.get("alpha", 0.01))


@operator("PRelu")
def _parametric(_: Node, value: Value, slope: Value) -> Value:
    import torch

    return torch.relu(value) - tensor(slope) * torch.relu(-value)


@operator("Elu", "Celu")
def _exponential(node: Node, value: Value) -> Value:
    import torch

    return getattr(torch.nn.functional, node.type.lower())(value, node.get("alpha", 1.0))


@operator("Selu")
def _scaled_exponential(node: Node, value: Value) -> Value:
    import torch

    alpha, gamma = node.get("alpha", 1.67326319217681884765625), node.get("gamma", 1.05070102214813232421875)
    return gamma * torch.nn.functional.elu(value, alpha)


@operator("ThresholdedRelu")
def _thresholded(node: Node, value: Value) -> Value:
    return value * (value > node.get("alpha", 1.0)).to(value.dtype)


@operator("Softplus", "Softsign", "Mish", "HardSwish")
def _of_functional(node: Node, value: Value) -> Value:
    import torch

    return getattr(torch.nn.functional, node.type.lower())(value)


@operator("HardSigmoid")
def _hard_sigmoid(node: Node, value: Value) -> Value:
    import torch

    return torch.clamp(value * node.get("alpha", 0.2) + node.get("beta", 0.5), 0, 1)


@operator("Swish")
def _swish(node: Node, value: Value) -> Value:
    import torch

    return value * torch.sigmoid(node.get("alpha", 1.0) * value)


@operator("Gelu")
def _gelu(node: Node, value: Value) -> Value:
    import torch

    return torch.nn.functional.gelu(value, approximate=node.get("approximate", "none"))


@operator("Softmax", "LogSoftmax")
def _softmax(node: Node, value: Value) -> Value:
    import torch

    return (torch.softmax if node.type == "Softmax" else torch.log_softmax)(value, node.get("axis", -1))
