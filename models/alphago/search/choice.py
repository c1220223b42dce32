"""The move to play, from the visits of a search."""

from __future__ import annotations

import numpy as np


def choose(visits: np.ndarray, temperature: float | np.ndarray, random: np.random.Generator) -> np.ndarray:
    """An action for each row, drawn in proportion to ``visits ** (1 / temperature)`` (Silver et al. 2017, Methods); 0 takes the highest.

    Args:
        visits: ``[n, A]``, at least one positive in each row.
        temperature: one for all, or ``[n]``.
        random: is asked for one number a row.
    """
    heat = np.maximum(np.broadcast_to(np.asarray(temperature, np.float64), len(visits)), 1e-3)[:, None]
    with np.errstate(divide="ignore"):
        logits = np.log(visits.astype(np.float64)) / heat
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    reached = weights.cumsum(axis=1)
    drawn: np.ndarray = (reached > random.random((len(visits), 1)) * reached[:, -1:]).argmax(axis=1)
    return drawn
