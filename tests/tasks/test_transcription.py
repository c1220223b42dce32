"""Transcription: errors as jiwer counts them."""

from __future__ import annotations

import jiwer
import numpy as np
import pytest

from tests.tasks.examples import signature
from tests.tasks.oracles import assert_equal, assert_refused, cases
from toolkit.tasks import find_task

TASK = find_task("transcription")
WER, CER = TASK.metrics
GIVEN = signature(scores=("float32", ("steps", 6)))


def test_metrics_equal_jiwer() -> None:
    for random in cases():
        words = ["a", "cat", "sat", "on", "the mat", "  and"]
        actual = [" ".join(random.choice(words, random.integers(1, 8))) for _ in range(random.integers(1, 4))]
        predicted = [" ".join(random.choice(words, random.integers(0, 8))) for _ in actual]
        assert_equal(WER.score(predicted, actual).value, jiwer.wer(actual, predicted))
        assert_equal(CER.score(predicted, actual).value, jiwer.cer(actual, predicted))


def test_tokens_are_words_and_characters() -> None:
    for random in list(cases())[:100]:
        actual, predicted = ([list(random.integers(1, 6, random.integers(1, 9))) for _ in range(3)] for _ in range(2))
        texts = [[" ".join(map(str, row)) for row in rows] for rows in (actual, predicted)]
        assert_equal(WER.score(predicted, actual).value, jiwer.wer(*texts))
        assert WER.score(predicted, actual).value == CER.score(predicted, actual).value


def test_what_a_ctc_network_says() -> None:
    steps = np.array([[0, 2, 2, 0, 2, 3, 3, 0], [0, 0, 0, 0, 0, 0, 0, 0]])
    assert TASK.predictions({"scores": np.eye(6)[steps]}) == [[2, 2, 3], []]
    assert TASK.predictions({"tokens": np.array([[2, 2, 3], [4, -1, -1]])}) == [[2, 2, 3], [4]]
    np.testing.assert_array_equal(TASK.as_targets([[2, 2, 3], []]), [[2, 2, 3], [-1, -1, -1]])


def test_nothing_was_said() -> None:
    nothing = np.full((2, 3), -1)
    assert np.isnan(WER.score([[], [1]], nothing).value)
    assert WER.score([[], []], np.array([[1, 2], [3, -1]])).value == 1
    assert WER.score([[1, 2, 9], [3]], np.array([[1, 2], [3, -1]])).value == pytest.approx(1 / 3)


def test_targets_that_are_refused() -> None:
    fine = np.array([[1, 2, -1]])
    TASK.check(GIVEN, fine, "photos")
    assert_refused(TASK, GIVEN, np.array(["a cat"]), "are texts.*vocabulary")
    assert_refused(TASK, GIVEN, fine.astype(np.float32), "are no tokens")
    assert_refused(TASK, GIVEN, fine + 4, "unknown token.*below 6, got 6")
    assert_refused(TASK, GIVEN, fine - 1, "unknown token.*got -2")
    assert_refused(TASK, signature(scores=("float32", (6,))), fine, "are for tokens")


def test_fits_padded_tokens_for_steps() -> None:
    tokens = np.array([[1, 2, -1]])
    assert TASK.fits(GIVEN, tokens)
    assert TASK.fits(GIVEN, np.array(["a cat"]))
    assert not TASK.fits(GIVEN, np.abs(tokens))
    assert not TASK.fits(signature(tokens=("int64", ("steps",))), tokens)
    assert not TASK.fits(GIVEN, None)
