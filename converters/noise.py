"""How much of the noise in a quantized file's outputs is worth a second attempt, measured on the calibration samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np

# Below this a file is quantized again, the other way. Classifiers of the reference models lost no accuracy above it, and
# recurrences and masked sums, which the second attempt helps, were at 15 to 20 dB.
_ENOUGH_DB = 25.0
_TINY = 1e-30


def quieter(first: Path, *, ratio: Callable[[Path], float], again: Callable[[], Path]) -> Path:
    """The quieter of two files: `first`, and, only if that is too noisy, the one that `again` writes.

    Args:
        ratio: a file's signal-to-noise ratio in decibels.
    """
    reached = ratio(first)
    if reached >= _ENOUGH_DB:
        return first
    second = again()
    return second if ratio(second) > reached else first


def worst_ratio(batches: Iterable[tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]]]) -> float:
    """The worst ratio of signal to noise in decibels over the outputs, from pairs of exact and noisy outputs by name; 200 at most."""
    signal: dict[str, float] = {}
    noise: dict[str, float] = {}
    for exact, noisy in batches:
        for key, value in exact.items():
            signal[key] = signal.get(key, 0.0) + float(np.sum(value.astype(np.float64) ** 2))
            noise[key] = noise.get(key, 0.0) + float(np.sum((value.astype(np.float64) - noisy[key]) ** 2))
    return min(float(10 * np.log10(max(signal[key], _TINY) / max(noise[key], signal[key] * 1e-20, _TINY))) for key in signal)
