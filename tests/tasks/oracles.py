"""What the tests of metrics share: random cases, and comparing with a library."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from toolkit.core import DataError, Signature
from toolkit.tasks import Task

CASES = 500


def cases() -> Iterator[np.random.Generator]:
    """A generator of random numbers for each case."""
    for seed in range(CASES):
        yield np.random.default_rng([7, seed])


def assert_equal(actual: float, expected: float) -> None:
    """To 1e-6, and undefined where the library's is."""
    assert actual == pytest.approx(expected, rel=1e-6, abs=1e-6, nan_ok=True)


def assert_refused(task: Task, signature: Signature, targets: np.ndarray, match: str) -> None:
    """One clear line: what is wrong, what was expected, what came."""
    with pytest.raises(DataError, match=match) as caught:
        task.check(signature, targets, "photos")
    message = str(caught.value)
    assert "expected" in message
    assert "got" in message
    assert "\n" not in message


def scored(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Scores, with ties in half of the cases."""
    return np.round(random.normal(size=shape), 1) if random.random() < 0.5 else random.normal(size=shape)
