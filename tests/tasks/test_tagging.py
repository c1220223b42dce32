"""Tagging: tokens as scikit-learn, spans as nervaluate reads them from IOB tags."""

from __future__ import annotations

import numpy as np
from nervaluate.loaders import ConllLoader
from sklearn.metrics import f1_score

from tests.tasks.examples import signature
from tests.tasks.oracles import assert_equal, assert_refused, cases
from toolkit.tasks import find_task

TASK = find_task("tagging")
TOKENS, SPANS = TASK.metrics
GIVEN = signature(tags=("float32", (6, 5)))
NAMES = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG"]


def _spans(tags: np.ndarray) -> set[tuple[int, int, str]]:
    """Of one sentence."""
    text = "\n".join(f"token\t{NAMES[tag]}" for tag in tags)
    return {(span.start, span.end, span.label) for span in ConllLoader().load(text)[0]} if len(tags) else set()


def test_metrics_equal_their_libraries() -> None:
    for random in cases():
        actual = random.choice(5, (int(random.integers(1, 4)), int(random.integers(1, 9))), p=[0.4, 0.2, 0.2, 0.1, 0.1])
        predicted = np.where(random.random(actual.shape) < 0.7, actual, random.integers(0, 5, actual.shape))
        actual = np.where(random.random(actual.shape) < 0.2, -100, actual)
        counted = actual != -100
        expected = (
            f1_score(actual[counted], predicted[counted], labels=[1, 2, 3, 4], average="micro", zero_division=np.nan)
            if counted.any()
            else np.nan
        )
        assert_equal(TOKENS.score(predicted, actual).value, expected)
        found, true = ([_spans(row[keep]) for row, keep in zip(tags, counted, strict=True)] for tags in (predicted, actual))
        total = sum(map(len, found)) + sum(map(len, true))
        both = sum(len(one & two) for one, two in zip(found, true, strict=True))
        assert_equal(SPANS.score(predicted, actual).value, 2 * both / total if total else np.nan)


def test_a_span_is_right_as_a_whole() -> None:
    actual, predicted = np.array([[1, 2, 0, 3, 3]]), np.array([[1, 2, 2, 3, 3]])
    assert SPANS.score(predicted, actual).value == 4 / 6
    assert TOKENS.score(predicted, actual).value == 8 / 9
    assert SPANS.score(np.array([[2, 2, 0, 3, 4]]), np.array([[1, 2, 0, 3, 4]])).value == 1  # What follows nothing begins a span.


def test_targets_that_are_refused() -> None:
    fine = np.zeros((2, 6), dtype=np.int64)
    TASK.check(GIVEN, fine, "photos")
    assert_refused(TASK, GIVEN, fine[:, :5], "another length than the output.*fill up with -100")
    assert_refused(TASK, GIVEN, fine.astype(np.float32), "are no tags")
    assert_refused(TASK, GIVEN, fine + 5, "unknown tag.*below 5, got 5")
    assert_refused(TASK, GIVEN, fine - 1, "unknown tag.*got -1")
    assert_refused(TASK, signature(scores=("float32", (5,))), fine, "a tag for each token")


def test_fits_few_tags_with_padding() -> None:
    tags = np.array([[1, 2, 0, 0, -100, -100]])
    assert TASK.fits(GIVEN, tags)
    assert not TASK.fits(GIVEN, np.abs(tags))
    assert not TASK.fits(signature(scores=("float32", (6, 30000))), tags)
    assert not TASK.fits(GIVEN, None)
