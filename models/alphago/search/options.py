"""How a search spends its playouts."""

from __future__ import annotations

import math
from dataclasses import dataclass

from toolkit.core import InputError


@dataclass(frozen=True)
class SearchOptions:
    """PUCT (Silver et al. 2017, Methods) with the constants of KataGo (Wu 2019, appendix).

    An action that was never tried is taken to be worth its parent's mean less ``fpu_reduction * sqrt(prior mass that was tried)``. Root
    noise is ``noise_weight`` of a Dirichlet distribution whose parameters sum to ``dirichlet_total``. ``leaves`` are gathered in each game
    before the network is asked; each counts as ``virtual_loss`` lost until its value is known. More leaves make larger batches.
    """

    c_puct: float = 1.1
    fpu_reduction: float = 0.2
    root_fpu_reduction: float = 0.0
    dirichlet_total: float = 10.83
    noise_weight: float = 0.25
    leaves: int = 1
    virtual_loss: float = 1.0

    def __post_init__(self) -> None:
        if self.leaves < 1:
            raise InputError("leaves", expected="at least 1", got=str(self.leaves))
        above = min(self.c_puct, self.dirichlet_total) > 0 <= min(self.fpu_reduction, self.root_fpu_reduction, self.virtual_loss)
        if not (above and 0 <= self.noise_weight <= 1 and all(math.isfinite(value) for value in vars(self).values())):
            raise InputError("search constants", expected="positive, and a noise weight from 0 to 1", got=str(self))


@dataclass(frozen=True)
class GumbelOptions:
    """``considered`` actions at the root at most; ``visit_scale`` and ``value_scale`` are the paper's c_visit and c_scale, the latter for
    values in [0, 1] (Danihelka et al. 2022, "Policy improvement by planning with Gumbel", equation 8).
    """

    considered: int = 16
    visit_scale: float = 50.0
    value_scale: float = 1.0

    def __post_init__(self) -> None:
        if self.considered < 1:
            raise InputError("considered actions", expected="at least 1", got=str(self.considered))
        if not (0 <= self.visit_scale < math.inf and 0 < self.value_scale < math.inf):
            raise InputError("scales of Gumbel search", expected="positive", got=f"{self.visit_scale} and {self.value_scale}")
