"""Translation: BLEU and chrF as sacrebleu counts them."""

from __future__ import annotations

import numpy as np
import pytest
import sacrebleu

from tests.tasks.examples import signature
from tests.tasks.oracles import assert_equal, assert_refused, cases
from toolkit.tasks import find_task

TASK = find_task("translation")
BLEU, CHRF = TASK.metrics
GIVEN = signature(tokens=("int64", ("steps",)))
WORDS = ["the", "cat", "sat", "on", "a mat.", "3.5%", "U.S.-based", "(so", "it said),", "&quot;yes&quot;"]
WORDS += ["1,000", "x-ray", "9-1", "don't", "naïve"]


def _texts(random: np.random.Generator) -> tuple[list[str], list[str]]:
    actual = [[str(word) for word in random.choice(WORDS, random.integers(1, 12))] for _ in range(random.integers(1, 4))]
    predicted = [[word if random.random() < 0.8 else str(random.choice(WORDS)) for word in row if random.random() < 0.95] for row in actual]
    return [" ".join(row) for row in predicted], [" ".join(row) for row in actual]


def test_metrics_equal_sacrebleu() -> None:
    for random in cases():
        predicted, actual = _texts(random)
        assert_equal(100 * BLEU.score(predicted, actual).value, sacrebleu.corpus_bleu(predicted, [actual]).score)
        assert_equal(100 * CHRF.score(predicted, actual).value, sacrebleu.corpus_chrf(predicted, [actual]).score)


def test_tokens_are_compared_as_they_are() -> None:
    for random in list(cases())[:200]:
        actual = [list(random.integers(0, 5, random.integers(1, 9))) for _ in range(3)]
        predicted = [list(random.integers(0, 5, random.integers(0, 9))) for _ in range(3)]
        texts = [[" ".join(map(str, row)) for row in rows] for rows in (predicted, actual)]  # Of one digit: a word is a character.
        assert_equal(
            100 * BLEU.score(predicted, actual).value, sacrebleu.corpus_bleu(texts[0], [texts[1]], tokenize="none", force=True).score
        )
        assert_equal(100 * CHRF.score(predicted, actual).value, sacrebleu.corpus_chrf(texts[0], [texts[1]]).score)


def test_best_tokens_of_scores_and_padding() -> None:
    tokens = np.array([[1, 3, 2], [4, -1, -1]])
    assert TASK.predictions({"tokens": tokens}) == [[1, 3, 2], [4]]
    assert TASK.predictions({"scores": np.eye(5)[np.abs(tokens)]}) == [[1, 3, 2], [4, 1, 1]]


def test_nothing_to_say() -> None:
    nothing = np.full((2, 3), -1)
    assert np.isnan(BLEU.score([[], [1]], nothing).value)
    assert np.isnan(CHRF.score([[], [1]], nothing).value)
    assert BLEU.score([[], []], np.array([[1, 2], [3, -1]])).value == CHRF.score([[], []], np.array([[1, 2], [3, -1]])).value == 0


def test_targets_that_are_refused() -> None:
    tokens = np.array([[1, 2, -1]])
    TASK.check(GIVEN, tokens, "photos")
    assert_refused(TASK, GIVEN, np.array(["a cat"]), "are texts.*vocabulary")
    assert_refused(TASK, GIVEN, tokens.astype(np.float32), "are no tokens")
    assert_refused(TASK, signature(scores=("float32", ("steps", 3))), tokens + 1, "unknown token.*below 3, got 3")
    assert_refused(TASK, signature(scores=("float32", (6,))), tokens, "are for tokens")


def test_fits_never_by_itself() -> None:
    assert not TASK.fits(GIVEN, np.array([[1, 2, -1]]))
    assert not TASK.fits(GIVEN, None)


def test_exact_copies_are_perfect() -> None:
    tokens = np.arange(8).reshape(1, 8)
    assert BLEU.score([list(range(8))], tokens).value == pytest.approx(1, abs=1e-15)
