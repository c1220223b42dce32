"""The order in which samples are divided: at random, but the same each time, with every class in every part."""

from __future__ import annotations

import numpy as np


def fair_order(count: int, targets: np.ndarray | None = None) -> np.ndarray:
    """All rows in a seeded order of which any first part, and so any rest, is a fair one: where `targets` are class labels ``[N]`` it has
    each class in its share, to within one sample.
    """
    order = np.random.default_rng(0).permutation(count)
    if targets is None or targets.ndim != 1 or not np.issubdtype(targets.dtype, np.integer):
        return order
    _, classes, sizes = np.unique(targets[order], return_inverse=True, return_counts=True)
    by_class = np.argsort(classes, kind="stable")
    rank = np.empty(count, dtype=np.int64)
    rank[by_class] = np.arange(count) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    # The samples of each class evenly over the whole, from the middle of the first piece on.
    fair: np.ndarray = order[np.argsort((rank + 0.5) / sizes[classes], kind="stable")]
    return fair
