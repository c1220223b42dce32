from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.models.test_texts import reviews
from toolkit.models.baselines import dictionary_learning, tf_idf
from toolkit.models.data.movie_reviews import MovieReviews

__all__ = ["reviews"]


def test_words_that_tell_are_found(reviews: Path) -> None:
    assert tf_idf(MovieReviews(), reviews).value == 1.0


def test_a_dictionary_that_was_there_is_found() -> None:
    """Rows of one or two of twelve atoms each; the more atoms a code may use, the less it loses."""
    random = np.random.default_rng(0)
    atoms = random.standard_normal((12, 16)).astype(np.float32)
    codes = random.standard_normal((600, 12)) * (random.random((600, 12)) < 1 / 8)
    rows = (codes @ atoms).astype(np.float32)
    few, more = (dictionary_learning(rows[:500], rows[500:], atoms=12, penalty=0.1, active=active).value for active in (0.5, 3))
    assert more < few < rows[500:].var()
    assert more < 0.4 * rows[500:].var()
