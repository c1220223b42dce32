"""Language modelling: perplexity from scikit-learn's log loss."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss

from tests.tasks.examples import of_tokens, signature
from tests.tasks.oracles import assert_equal, assert_refused, cases
from toolkit.tasks import find_task

TASK = find_task("language-model")
PERPLEXITY, ACCURACY = TASK.metrics
OF_PICTURES = signature(scores=("float32", ("tokens", 2000)))
GIVEN = of_tokens(scores=("float32", ("tokens", 2000)))


def test_metrics_equal_scikit_learn() -> None:
    for random in cases():
        tokens = random.integers(0, 7, (int(random.integers(1, 4)), int(random.integers(1, 6))))
        scores = random.normal(0, 3, (*tokens.shape, 7))
        likely = np.exp(scores) / np.exp(scores).sum(axis=2, keepdims=True)
        tokens = np.where(random.random(tokens.shape) < 0.2, -100, tokens)
        counted = tokens != -100
        if not counted.any():
            continue
        expected = np.exp(log_loss(tokens[counted], likely[counted], labels=np.arange(7)))
        for given in (scores, likely, np.log(likely)):
            assert_equal(PERPLEXITY.score(given, tokens).value, expected)
        assert_equal(ACCURACY.score(scores, tokens).value, accuracy_score(tokens[counted], scores.argmax(axis=2)[counted]))


def test_agreement_is_the_divergence() -> None:
    one, two = np.log(np.array([[[0.5, 0.5]]])), np.log(np.array([[[0.25, 0.75]]]))
    own = TASK.as_targets(one)
    assert PERPLEXITY.score(one, own).value == 1
    assert PERPLEXITY.score(two, own).value == pytest.approx(np.exp(0.5 * np.log(0.5 / 0.25) + 0.5 * np.log(0.5 / 0.75)))


def test_a_token_that_cannot_come() -> None:
    assert PERPLEXITY.score(np.array([[[0.0, 1.0]]]), np.array([[0]])).value == np.inf
    own = TASK.as_targets(np.array([[[0.0, 1.0]]]))
    assert PERPLEXITY.score(np.array([[[0.0, 1.0]]]), own).value == 1


def test_nothing_counts() -> None:
    assert np.isnan(PERPLEXITY.score(np.zeros((1, 2, 3)), np.full((1, 2), -100)).value)


def test_targets_that_are_refused() -> None:
    tokens = np.array([[1, 1999, -100]])
    TASK.check(GIVEN, tokens, "photos")
    assert_refused(TASK, GIVEN, tokens + 1, "unknown token.*below 2000")
    assert_refused(TASK, GIVEN, tokens.astype(np.float32), "are no tokens")
    assert_refused(TASK, signature(scores=("float32", (2000,))), tokens, "a token for each token|an output")


def test_fits_tokens_of_a_vocabulary() -> None:
    tokens = np.array([[1, 1999, -100]])
    assert TASK.fits(GIVEN, tokens)
    assert not TASK.fits(OF_PICTURES, tokens), "as many steps as a picture's width gives are not as many as the numbers"
    assert not TASK.fits(signature(scores=("float32", ("tokens", 20))), tokens)
    assert not TASK.fits(GIVEN, np.array([[1, -1]]))
    assert not TASK.fits(GIVEN, None)
