"""What a network must be compared with: a classic method on the same data, from scikit-learn."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from toolkit.core import needs
from toolkit.core.vocabulary import split_words

if TYPE_CHECKING:
    from .data.base import TextSet


_BISECTIONS = 12


@dataclass(frozen=True)
class Baseline:
    """What a method reached on the test split: ``value`` in the model's own metric."""

    method: str
    value: float


def tf_idf(data: TextSet, folder: Path | None = None) -> Baseline:
    """The share of test texts that logistic regression on tf-idf weights of words and pairs of words gets right.

    Sublinear term frequencies and the regularisation of scikit-learn's default times 4 (C = 4), fixed before the test split was seen.
    """
    with needs("train"):
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
    texts, labels = data.texts("train", folder)
    others, truth = data.texts("test", folder)
    weights = TfidfVectorizer(analyzer=_words_and_pairs, sublinear_tf=True, min_df=2)
    regression = LogisticRegression(C=4.0, max_iter=1000).fit(weights.fit_transform(texts), labels)
    return Baseline("tf-idf and logistic regression", float(np.mean(regression.predict(weights.transform(others)) == truth)))


def dictionary_learning(train: np.ndarray, test: np.ndarray, *, atoms: int, penalty: float, active: float) -> Baseline:
    """The mean squared error of a learned dictionary (Mairal et al. 2009) on rows ``[N, numbers]``.

    Args:
        train: rows to learn from.
        test: rows to code, by the lasso.
        atoms: how many the dictionary has.
        penalty: what the sum of a code's sizes costs while the dictionary is learned.
        active: how many atoms a row shall use in the mean; the penalty of the lasso is chosen for that by bisection.
    """
    with needs("train"):
        from sklearn.decomposition import MiniBatchDictionaryLearning, sparse_encode
        from sklearn.exceptions import ConvergenceWarning
    with warnings.catch_warnings():
        # The last digits of a code do not matter here.
        warnings.simplefilter("ignore", ConvergenceWarning)
        learner = MiniBatchDictionaryLearning(atoms, alpha=penalty, batch_size=256, max_iter=20, fit_algorithm="cd", random_state=0)
        dictionary = learner.fit(train).components_
        low, high = penalty / 100, penalty * 100
        for _ in range(_BISECTIONS):
            middle = float(np.sqrt(low * high))
            codes = sparse_encode(test, dictionary, algorithm="lasso_cd", alpha=middle)
            low, high = (middle, high) if np.mean((codes != 0).sum(axis=1)) > active else (low, middle)
    return Baseline("scikit-learn's dictionary at equal sparsity", float(np.mean((codes @ dictionary - test) ** 2)))


def _words_and_pairs(text: str) -> list[str]:
    words = split_words(text)
    return words + [f"{one} {other}" for one, other in pairwise(words)]
