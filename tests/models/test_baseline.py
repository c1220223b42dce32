from __future__ import annotations

from pathlib import Path

from tests.models.test_texts import reviews
from toolkit.models.data.digits import Digits
from toolkit.models.data.movie_reviews import MovieReviews
from toolkit.models.training import baseline_accuracy

__all__ = ["reviews"]


def test_texts_have_a_baseline_and_images_none(reviews: Path) -> None:
    assert baseline_accuracy(MovieReviews(), reviews) == 1.0
    assert baseline_accuracy(Digits()) is None
