"""A test that may be looked at after every pair, and stops as soon as the pairs tell."""

from __future__ import annotations

import math
from dataclasses import dataclass

_HALVES = math.log(math.pi)
"""The logarithm of the beta function at (1/2, 1/2)."""


@dataclass
class SignTest:
    """Whether more than half of a stream of signs are positive, or more than half negative.

    A bettor who knows nothing of the coin puts at each toss the share (k + 1/2) / (n + 1) on what came k times of n (Krichevsky and
    Trofimov 1981). Of a fair coin the wealth is a martingale that reaches 1 / error with a probability of at most ``error``, whenever one
    looks (Ville 1939), and of one that is biased the other way it reaches that with the bias in the lead less often still. Nothing is asked
    of the distribution of what has the signs: where two things are measured by turns in an order that is drawn, each sign is fair where
    they are alike, however busy the machine and whatever came before.

    Args:
        error: the largest probability of a wrong decision.
        positive: signs above zero so far.
        negative: signs below.
    """

    error: float
    positive: int = 0
    negative: int = 0

    def add(self, value: float) -> None:
        """One more; of a tie nothing is learned."""
        self.positive += value > 0
        self.negative += value < 0

    @property
    def log_wealth(self) -> float:
        """The natural logarithm of what the bettor has, who began with 1."""
        count = self.positive + self.negative
        ours = math.lgamma(self.positive + 0.5) + math.lgamma(self.negative + 0.5) - math.lgamma(count + 1)
        return count * math.log(2) + ours - _HALVES

    @property
    def decided(self) -> int:
        """1 where most are positive, -1 where most are negative, 0 where the signs so far do not tell."""
        if self.log_wealth < -math.log(self.error):
            return 0
        return 1 if self.positive > self.negative else -1
