"""Whether scores of classes are probabilities already, and what they are where they are not: asked in one way by all who need it."""

from __future__ import annotations

import numpy as np

_SLACK, _MOST_SLACK, _LEVELS = 1e-3, 0.05, 256


def are_probabilities(scores: np.ndarray) -> bool:
    """Whether the rows of ``[N, C]`` are: none below 0, and together 1.

    Of a quantized network each is a multiple of 1/256, so that a row's sum is off by half of that for each class at most.
    """
    slack = min(_MOST_SLACK, max(_SLACK, scores.shape[1] / (2 * _LEVELS)))
    return bool((scores >= 0).all()) and np.allclose(scores.sum(axis=1, dtype=np.float64), 1, rtol=0, atol=slack)


def probabilities_of(scores: np.ndarray) -> np.ndarray:
    """Of scores ``[N, C]``, as float64 ``[N, C]``: as they are where they are probabilities, else by softmax; each row's sum is 1."""
    values = scores.astype(np.float64)
    powers = values if are_probabilities(values) else np.exp(values - values.max(axis=1, keepdims=True))
    found: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return found


def log_probabilities_of(scores: np.ndarray) -> np.ndarray:
    """The logarithm of `probabilities_of`, also where those are too small for a float; minus infinity where one is 0."""
    values = scores.astype(np.float64)
    if are_probabilities(values):
        with np.errstate(divide="ignore"):
            known: np.ndarray = np.log(values / values.sum(axis=1, keepdims=True))
        return known
    values -= values.max(axis=1, keepdims=True)
    likely: np.ndarray = values - np.log(np.exp(values).sum(axis=1, keepdims=True))
    return likely
