"""A split that keeps every class's share."""

from __future__ import annotations

import numpy as np


def stratified(targets: np.ndarray, count: int, *, seed: int) -> np.ndarray:
    """The rows, ascending, of a random part of `count` samples in which each class has its share of `targets`, to within one sample.

    Where the shares do not come out even, the classes with the largest remainders give one more.
    """
    classes, sizes = np.unique(targets, return_counts=True)
    exact = sizes * (count / len(targets))
    take = np.floor(exact).astype(np.int64)
    order = np.argsort(take - exact, kind="stable")
    take[order[: count - take.sum()]] += 1
    random = np.random.default_rng(seed)
    picked = [random.permutation(np.flatnonzero(targets == each))[:many] for each, many in zip(classes, take, strict=True)]
    return np.sort(np.concatenate(picked))
