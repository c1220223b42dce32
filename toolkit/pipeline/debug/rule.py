"""When a tensor inside a network counts as the same: by the rule that parity has for the precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.core import Precision, rule_for
from toolkit.core.decibels import sqnr_db
from toolkit.runtimes.parity.compare import compare

# What integers leave of a tensor is recognized in steps, the most similar pairs first; what is below the rule's is another tensor.
_LEVELS_DB = (40.0, 30.0, 20.0)


@dataclass(frozen=True)
class LayerRule:
    """How tensors inside a network are compared.

    Args:
        text: when one diverges, in words.
        floor_db: the ratio that a value must reach; with ``is_exact`` every value must lie within fp32's tolerance instead.
        levels_db: the ratios from which two tensors are taken for the same.
        repaired_db: the ratio that a value must reach for a replaced layer to have made it right again.
    """

    text: str
    floor_db: float
    levels_db: tuple[float, ...]
    repaired_db: float
    is_exact: bool = False

    def agrees(self, reference: Sequence[np.ndarray], candidate: Sequence[np.ndarray]) -> bool:
        """Whether the values of one tensor over all rounds are as good as the precision promises."""
        if not self.is_exact:
            return sqnr_db(reference, candidate) >= self.floor_db
        return error_of(reference, candidate)[1]


def layer_rule(precision: Precision) -> LayerRule:
    """The rule for artifacts of this precision."""
    rule = rule_for(precision)
    floor, text = rule.layer_db, rule.layer_text()
    if floor is None:
        return LayerRule(text, 40.0, (40.0,), 80.0, is_exact=True)
    if precision.is_quantized:
        return LayerRule(text, floor, (*_LEVELS_DB, floor), 30.0)
    return LayerRule(text, floor, (floor,), floor)


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
