"""When a tensor inside a network counts as the same: by the rules that parity has for outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.core import Precision
from toolkit.core.decibels import sqnr_db
from toolkit.runtimes.parity.compare import compare

_FLOORS_DB = {Precision.FP16: 40.0, Precision.BF16: 20.0}
# What integers leave of a tensor is recognized in steps, the most similar pairs first; what is below the last is another tensor.
_LEVELS_DB = (40.0, 30.0, 20.0, 12.0)


@dataclass(frozen=True)
class Rule:
    """For fp32 every value must lie within 1e-4 + 1e-3 of the reference's size, in units of the tensor's own root mean square, because a
    tensor inside a network has any scale; for other precisions the signal-to-noise ratio must reach ``floor_db``. ``levels_db`` are the
    ratios from which two tensors are taken for the same, and ``proof_db`` the one that a value must reach for a replaced layer to have made
    it right again.
    """

    floor_db: float
    levels_db: tuple[float, ...]
    proof_db: float
    is_exact: bool = False

    def agrees(self, reference: Sequence[np.ndarray], candidate: Sequence[np.ndarray]) -> bool:
        """Whether the values of one tensor over all rounds are as good as the precision promises."""
        if not self.is_exact:
            return sqnr_db(reference, candidate) >= self.floor_db
        return error_of(reference, candidate)[1]

    def __str__(self) -> str:
        return "1e-4 + 1e-3 of each value, relative to the tensor" if self.is_exact else f"{self.floor_db:g} dB"


def rule_of(precision: Precision) -> Rule:
    """The rule for artifacts of this precision."""
    if precision is Precision.FP32:
        return Rule(40.0, (40.0,), 80.0, is_exact=True)
    if precision.is_quantized:
        return Rule(_LEVELS_DB[-1], _LEVELS_DB, 30.0)
    return Rule(_FLOORS_DB[precision], (_FLOORS_DB[precision],), _FLOORS_DB[precision])


def error_of(reference: Sequence[np.ndarray], candidate: Sequence[np.ndarray]) -> tuple[float, bool]:
    """The largest difference in units of the reference's root mean square, and whether all lie within parity's tolerance for fp32."""
    mean = float(np.sqrt(np.mean([np.mean(np.square(r, dtype=np.float64)) for r in reference]))) or 1.0
    with np.errstate(invalid="ignore"):
        found = compare(
            "",
            [
                (np.divide(r, mean, dtype=np.float64), np.divide(c, mean, dtype=np.float64))
                for r, c in zip(reference, candidate, strict=True)
            ],
        )
    return found.max_abs, found.within_tolerance
