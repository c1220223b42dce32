"""What a search asks of a network."""

from __future__ import annotations

from typing import Protocol

import numpy as np


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
