"""How much of the noise in a quantized file's outputs is worth a second attempt, measured on the calibration samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import numpy as np

from toolkit.core.decibels import Powers

# Below this a file is quantized again, the other way. Classifiers of the reference models lost no accuracy above it, and
# recurrences and masked sums, which the second attempt helps, were at 15 to 20 dB.
_ENOUGH_DB = 25.0
Made = TypeVar("Made")


def quieter(first: Made, *, ratio: Callable[[Made], float], again: Callable[[], Made]) -> Made:
    """The quieter of two files, or two ways to make one: `first`, and, only if that is too noisy, the one that `again` writes.

    Args:
        ratio: a file's signal-to-noise ratio in decibels.
    """
    reached = ratio(first)
    if reached >= _ENOUGH_DB:
        return first
    second = again()
    return second if ratio(second) > reached else first


def worst_ratio(batches: Iterable[tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]]]) -> float:
    """The worst ratio over the outputs in decibels, from pairs of exact and noisy outputs by name, batch by batch; from -200, for values
    that are not finite, to 200, for no noise.
    """
    powers: dict[str, Powers] = {}
    for exact, noisy in batches:
        for key, value in exact.items():
            powers[key] = powers.get(key, Powers()) + Powers.of([value], [noisy[key]])
    return min(each.ratio_db() for each in powers.values())
