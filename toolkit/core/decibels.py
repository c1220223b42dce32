"""The signal-to-quantization-noise ratio: one formula for parity, for the debugger and for the quantizers."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

LIMIT_DB = 200.0
"""The usual limit: at 200 dB noise is a ten billionth of the signal's size, far below float32's own rounding."""
_TINY = sys.float_info.min


@dataclass(frozen=True)
class Powers:
    """The sum of squares of a reference, and that of a candidate's differences from it; sums of batches add up, so that no outputs need be
    kept.
    """

    signal: float = 0.0
    noise: float = 0.0

    @classmethod
    def of(cls, reference: Iterable[np.ndarray], candidate: Iterable[np.ndarray]) -> Powers:
        """The powers over all pairs of arrays of equal shape, in float64; raises `ValueError` where one has more arrays."""
        signal = noise = 0.0
        with np.errstate(invalid="ignore", over="ignore"):
            for r, c in zip(reference, candidate, strict=True):
                signal += float(np.sum(np.square(r, dtype=np.float64)))
                noise += float(np.sum(np.square(np.subtract(r, c, dtype=np.float64))))
        return cls(signal, noise)

    def __add__(self, other: Powers) -> Powers:
        """Both together."""
        return Powers(self.signal + other.signal, self.noise + other.noise)

    def ratio_db(self, *, limit_db: float = LIMIT_DB) -> float:
        """``10 log10(sum r^2 / sum (r - c)^2)`` in decibels, from ``-limit_db`` to ``limit_db``.

        - No noise: ``limit_db``, also where the signal is nothing but zeros.
        - Noise beside a signal of zeros: as for the smallest float, about -3080 dB less the noise's own decibels, so ``-limit_db`` at 200.
        - A power that is not finite, because a value of either is not or its square is beyond float64: ``-limit_db``.
        """
        if not (math.isfinite(self.signal) and math.isfinite(self.noise)):
            return -limit_db
        if self.noise == 0.0:
            return limit_db
        # Not the logarithm of the quotient, which is beyond float64 where the noise is very small.
        found = 10 * (math.log10(max(self.signal, _TINY)) - math.log10(self.noise))
        return min(max(found, -limit_db), limit_db)


def sqnr_db(reference: Iterable[np.ndarray], candidate: Iterable[np.ndarray], *, limit_db: float = LIMIT_DB) -> float:
    """The ratio of `candidate` against `reference` over all their arrays; limits and edge cases as `Powers.ratio_db`."""
    return Powers.of(reference, candidate).ratio_db(limit_db=limit_db)
