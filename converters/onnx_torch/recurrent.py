"""Recurrent layers as a chain of steps: https://onnx.ai/onnx/operators/onnx__LSTM.html and its neighbours have the formulas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .base import LONGEST, Node, Value, operator, tensor

_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
_USUAL = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}

Step = Callable[[Any, Any, Any], tuple[Any, Any]]
"""From what the input adds to each gate, the hidden and the cell state, to the next two states."""


@operator("LSTM", "GRU", "RNN")
def _recurrence(  # noqa: PLR0917 - the operator's
    node: Node,
    value: Value,
    weight: Value,
    recurrent: Value,
    bias: Value = None,
    lengths: Value = None,
    hidden: Value = None,
    cell: Value = None,
    *peepholes: Value,
) -> Value:
    import torch

    batch_first = bool(node.get("layout", 0))
    value = tensor(value).transpose(0, 1) if batch_first else tensor(value)
    steps, batch, _ = value.shape
    if lengths is not None and not (isinstance(lengths, np.ndarray) and np.all(lengths == steps)):
        raise node.cannot("sequences of different lengths")
    if any(each is not None for each in peepholes) or node.get("clip") is not None or node.get("input_forget", 0):
        raise node.cannot("peepholes, a clip or coupled gates")
    given = [each.decode() if isinstance(each, bytes) else each for each in node.get("activations", [])]
    directions = tensor(weight).shape[0]
    if given and given != _USUAL[node.type] * directions:
        raise node.cannot(f"activations {', '.join(given)}")
    if steps > LONGEST:
        raise node.cannot(f"{steps} steps, expected at most {LONGEST}")
    size = node.get("hidden_size", tensor(recurrent).shape[-1])
    zeros = torch.zeros([batch, size])
    starts = [None if state is None else (tensor(state).transpose(0, 1) if batch_first else tensor(state)) for state in (hidden, cell)]
    runs = []
    for number in range(directions):
        own_bias = torch.zeros([2, _GATES[node.type] * size]) if bias is None else tensor(bias)[number].reshape([2, -1])
        backwards = number == 1 or node.get("direction", "forward") == "reverse"
        step = _step(node, tensor(recurrent)[number], own_bias[1])
        gates = torch.nn.functional.linear(value, tensor(weight)[number], own_bias[0])
        start = [zeros if state is None else state[number] for state in starts]
        runs.append(_run(step, gates, start, backwards=backwards))
    every = torch.stack([run[0] for run in runs], 1)
    last, cells = torch.stack([run[1] for run in runs]), torch.stack([run[2] for run in runs])
    if batch_first:
        every, last, cells = every.permute(2, 0, 1, 3), last.transpose(0, 1), cells.transpose(0, 1)
    return (every, last, cells)[: 3 if node.type == "LSTM" else 2]


def _run(step: Step, gates: Any, start: Sequence[Any], *, backwards: bool) -> tuple[Any, Any, Any]:
    """The hidden states in order of time ``[steps, batch, size]``, the last one and the last cell state."""
    import torch

    hidden, cell = start
    found = []
    for place in range(gates.shape[0])[:: -1 if backwards else 1]:
        hidden, cell = step(gates[place], hidden, cell)
        found.append(hidden)
    return torch.stack(found[:: -1 if backwards else 1]), hidden, cell


def _step(node: Node, recurrent: Any, bias: Any) -> Step:
    import torch

    linear, sigmoid, tanh = torch.nn.functional.linear, torch.sigmoid, torch.tanh

    def lstm(gates: Any, hidden: Any, cell: Any) -> tuple[Any, Any]:
        inner, outer, forget, new = (gates + linear(hidden, recurrent, bias)).chunk(4, -1)
        cell = sigmoid(forget) * cell + sigmoid(inner) * tanh(new)
        return sigmoid(outer) * tanh(cell), cell

    def gru(gates: Any, hidden: Any, cell: Any) -> tuple[Any, Any]:
        update, reset, new = gates.chunk(3, -1)
        size = hidden.shape[-1]
        both = linear(hidden, recurrent[: 2 * size], bias[: 2 * size])
        update, reset = sigmoid(update + both[..., :size]), sigmoid(reset + both[..., size:])
        if node.get("linear_before_reset", 0):
            new = tanh(new + reset * linear(hidden, recurrent[2 * size :], bias[2 * size :]))
        else:
            new = tanh(new + linear(reset * hidden, recurrent[2 * size :], bias[2 * size :]))
        return (1 - update) * new + update * hidden, cell

    def plain(gates: Any, hidden: Any, cell: Any) -> tuple[Any, Any]:
        return tanh(gates + linear(hidden, recurrent, bias)), cell

    return {"LSTM": lstm, "GRU": gru, "RNN": plain}[node.type]
