"""What a search asks of a network."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from toolkit.core import EngineError

_VALUE_SLACK = 0.02  # Rounding of an int8 output may end a little beyond 1.


class Evaluator(Protocol):
    """Judges positions."""

    def __call__(self, planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """``planes [B, C, H, W]`` float32, which the evaluator may not keep -> policy logits ``[B, A]`` float32, and the value for the
        player to move, ``[B]`` float32 in [-1, 1].
        """


class UniformEvaluator:
    """No opinion: every action as likely, every position even."""

    def __init__(self, actions: int) -> None:
        self._actions = actions

    def __call__(self, planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Zeros."""
        return np.zeros((len(planes), self._actions), np.float32), np.zeros(len(planes), np.float32)


def ask(evaluator: Evaluator, planes: np.ndarray, actions: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """What `evaluator` says of ``planes [B, C, H, W]``, checked. `actions` is A where it is known.

    Raises:
        EngineError: NaN, infinity, wrong shapes, or a value that is not between -1 and 1.
    """
    logits, values = evaluator(planes)
    if logits.ndim != 2 or logits.shape != (len(planes), actions or logits.shape[1]) or values.shape != (len(planes),):
        raise EngineError(
            "the evaluator does not fit the game",
            expected=f"[{len(planes)}, {actions or 'A'}] and [{len(planes)}]",
            got=f"{list(logits.shape)} and {list(values.shape)}",
        )
    # A sum is NaN or infinite if any number is: one pass.
    if not (np.isfinite(logits.sum()) and np.isfinite(values.sum())):
        raise EngineError("the evaluator gave NaN or infinity", hint="verify the artifact: toolkit verify")
    if np.abs(values).max(initial=0) > 1 + _VALUE_SLACK:
        raise EngineError(
            "the evaluator's value is out of range",
            expected="-1 to 1, for the player to move",
            got=f"{float(values[np.abs(values).argmax()]):g}",
            hint="is the second output a value?",
        )
    return logits, values
