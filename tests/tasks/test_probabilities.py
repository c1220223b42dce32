"""Scores are made probabilities once, by whoever asks."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.tasks.probabilities import are_probabilities, log_probabilities_of, probabilities_of


def test_probabilities_are_not_softened_again() -> None:
    """Of a network that ends in a softmax a confidence of 97 % was 24 %, and all were badly calibrated; so were its int8 files."""
    logits = np.random.default_rng(0).normal(0, 3, (50, 10))
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities_of(logits), chances)
    np.testing.assert_allclose(probabilities_of(chances), chances)
    rounded = np.round(chances * 256) / 256  # as an int8 file says them
    np.testing.assert_allclose(probabilities_of(rounded), chances, atol=0.02)
    np.testing.assert_allclose(probabilities_of(rounded).sum(axis=1), 1)


@pytest.mark.parametrize(("scores", "expected"), [
    ([[0.2, 0.8], [1.0, 0.0]], True),
    ([[0.2, 0.8], [1.1, -0.1]], False),
    ([[0.3, 0.8]], False),
    ([[3.0, 1.0]], False),
])  # fmt: skip
def test_what_probabilities_are(scores: list[list[float]], *, expected: bool) -> None:
    assert are_probabilities(np.array(scores)) is expected


def test_int8_rounds_each_class() -> None:
    """A row of 20 classes whose sum is off by 17/512 is one of an int8 file; two classes cannot be off by so much."""
    assert are_probabilities(np.full((1, 20), (1 + 17 / 512) / 20))
    assert not are_probabilities(np.full((1, 2), (1 + 17 / 512) / 2))


def test_logarithms_are_of_the_same() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (50, 10))
    np.testing.assert_allclose(log_probabilities_of(logits), np.log(probabilities_of(logits)))
    np.testing.assert_allclose(log_probabilities_of(probabilities_of(logits)), np.log(probabilities_of(logits)))
    assert log_probabilities_of(np.array([[0.0, -2000.0]]))[0, 1] == -2000.0, "too small for a float"
    assert log_probabilities_of(np.array([[1.0, 0.0]]))[0, 1] == -np.inf
