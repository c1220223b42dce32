"""What a network must be compared with: a classic method on the same data."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

from toolkit.core import needs
from toolkit.core.vocabulary import words_of
from toolkit.models.data import DataSet, TextSet


def baseline_accuracy(data: DataSet, folder: Path | None = None) -> float | None:
    """The share of test texts that logistic regression on tf-idf weights of words and pairs of words gets right; None for other data.

    Sublinear term frequencies and the regularisation of scikit-learn's default times 4 (C = 4), fixed before the test split was seen.
    """
    if not isinstance(data, TextSet):
        return None
    with needs("train"):
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
    texts, labels = data.texts("train", folder)
    others, truth = data.texts("test", folder)
    weights = TfidfVectorizer(analyzer=_words_and_pairs, sublinear_tf=True, min_df=2)
    regression = LogisticRegression(C=4.0, max_iter=1000).fit(weights.fit_transform(texts), labels)
    return float(np.mean(regression.predict(weights.transform(others)) == truth))


def _words_and_pairs(text: str) -> list[str]:
    words = words_of(text)
    return words + [f"{one} {other}" for one, other in pairwise(words)]
