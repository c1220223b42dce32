"""One number for how noisy all outputs are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from toolkit.converters.noise import Groups, ratios


def worst_ratio(batches: Iterable[tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]]], groups: Groups | None = None) -> float:
    """The worst of the `ratios`."""
    return min(ratios(batches, groups or {}).values())
