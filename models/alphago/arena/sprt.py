"""When a match has said enough: the sequential probability ratio test on pairs of games."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from toolkit.core import InputError

from .elo import likeliest, score_of_elo

Verdict = Literal["accept", "reject", "continue"]


@dataclass(frozen=True)
class SprtState:
    """The log-likelihood ratio (natural logarithm), its bounds, and what follows: ``accept`` elo1, ``reject`` it, or ``continue``."""

    llr: float
    lower: float
    upper: float

    @property
    def verdict(self) -> Verdict:
        """What the ratio says now."""
        if self.llr >= self.upper:
            return "accept"
        return "reject" if self.llr <= self.lower else "continue"


@dataclass(frozen=True)
class Sprt:
    """Tests "the first player is `elo1` stronger" against "he is `elo0` stronger", `elo0` < `elo1`.

    `alpha` is the chance to accept when `elo0` is true, `beta` to reject when `elo1` is. Bounds: Wald 1945, "Sequential tests of
    statistical hypotheses", section 3.2. The ratio is the generalized one for the mean of pairs of games with colours swapped, where the
    distribution of their scores is not known but estimated under each hypothesis: Van den Bergh, "The generalized maximum likelihood
    ratio for the expectation value of a distribution", as used by Fishtest. No scores are made up to keep it finite.
    """

    elo0: float = 0.0
    elo1: float = 30.0
    alpha: float = 0.05
    beta: float = 0.05

    def __post_init__(self) -> None:
        if not self.elo0 < self.elo1:
            raise InputError("SPRT", expected="elo0 < elo1", got=f"{self.elo0:g} and {self.elo1:g}")
        if not (0 < self.alpha < 0.5 and 0 < self.beta < 0.5):
            raise InputError("SPRT", expected="alpha and beta between 0 and 0.5", got=f"{self.alpha:g} and {self.beta:g}")

    def test(self, counts: Sequence[int]) -> SprtState:
        """The state after so many pairs of each score, worst first, for the first player: see `likeliest`."""
        lower, upper = math.log(self.beta / (1 - self.alpha)), math.log((1 - self.beta) / self.alpha)
        seen = np.asarray(counts) > 0
        if not seen.any():
            return SprtState(0.0, lower, upper)
        null, other = (likeliest(counts, score_of_elo(elo))[seen] for elo in (self.elo0, self.elo1))
        return SprtState(float(np.sum(np.asarray(counts)[seen] * np.log(other / null))), lower, upper)
