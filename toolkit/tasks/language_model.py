"""Language modelling: how likely each token is that comes next."""

from __future__ import annotations

import numpy as np

from toolkit.core import Signature
from toolkit.core.mapped import by_parts

from ._counts import ratio_of_sums
from ._targets import IGNORED, PADDING, is_whole
from .base import Metric, Scorer, Sums, Task, ratio
from .probabilities import log_probabilities_of
from .tagging import MOST, check_tokens, one_for_each


def _perplexity(predicted: np.ndarray, actual: np.ndarray) -> Scorer:
    """The exponential of the mean negative log likelihood of a token.

    Of another network's log probabilities ``[N, T, V]`` as targets: the exponential of the mean divergence (Kullback and Leibler 1951)
    from it, which is 1 where they agree.
    """

    def row(scores: np.ndarray, true: np.ndarray) -> tuple[float, int]:
        likely = log_probabilities_of(scores)
        if true.ndim == 2:
            can_come = np.isfinite(true)
            return float((np.exp(true[can_come]) * (true[can_come] - likely[can_come])).sum()), len(true)
        counted = true != IGNORED
        return -float(likely[counted, true[counted]].sum()), int(counted.sum())

    rows = by_parts(lambda *part: np.array([row(*each) for each in zip(*part, strict=True)]).reshape(-1, 2), predicted, actual)
    return Sums(rows, _exponential)


def _exponential(sums: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # A token that cannot come is infinitely unlikely.
        perplexity: np.ndarray = np.exp(ratio(sums[:, 0], sums[:, 1]))
    return perplexity


def _right(predicted: np.ndarray, actual: np.ndarray) -> Scorer:
    best, true = (each if each.ndim == 2 else by_parts(lambda part: part.argmax(axis=2), each) for each in (predicted, actual))
    counted = true != IGNORED
    return ratio_of_sums((counted & (best == true)).sum(axis=1), counted.sum(axis=1))


class LanguageModel(Task):
    """Scores of what comes next for each token."""

    name = "language-model"
    title = "Language modelling"
    targets = "the next token at each place, int[N, T] in [0, V); -100 does not count"
    agreement = "perplexity beyond the reference's own"
    metrics = (
        Metric(name="perplexity", title="perplexity", score=_perplexity, unit="", higher_is_better=False),
        Metric(name="token-accuracy", title="accuracy of the next token", score=_right),
    )

    def fits(self, signature: Signature, targets: np.ndarray | None) -> bool:
        """Whether there is a token for each place, and the scores are of a vocabulary."""
        shape = signature.outputs[0].shape
        if targets is None or targets.ndim != 2 or not is_whole(targets) or len(signature.outputs) != 1 or len(shape) != 3:
            return False
        many = isinstance(shape[2], int) and shape[2] >= MOST
        return many and not bool((targets == PADDING).any()) and one_for_each(signature, targets)

    def check(self, signature: Signature, targets: np.ndarray, origin: str) -> None:
        """As `Task.check`."""
        check_tokens(signature, targets, origin, expected=self.targets, what="token")

    def as_targets(self, predictions: np.ndarray) -> np.ndarray:
        """The log probabilities, ``[N, T, V]``."""
        return by_parts(lambda part: np.stack([log_probabilities_of(scores) for scores in part]), predictions)
