"""Translation: tokens that are compared with those of a reference, n by n, over a whole corpus.

Outputs that are read: tokens ``[N, T]`` as whole numbers, padded with -1, or scores ``[N, T, V]``, of which the best token counts. BLEU and
chrF are sacrebleu's, of tokens as they are: of texts, which the metrics take too, BLEU splits words as its tokenizer 13a does.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from toolkit.core import Signature
from toolkit.core.mapped import by_parts

from ._tokens import check_padded, padded, rows_of
from .base import Metric, Scorer, Sums, Task, ratio

_WORDS, _CHARACTERS, _BETA = 4, 6, 2
_PUNCTUATION = (
    (re.compile(r"([\{-\~\[-\` -\&\(-\+\:-\@\/])"), r" \1 "),
    (re.compile(r"([^0-9])([\.,])"), r"\1 \2 "),
    (re.compile(r"([\.,])([^0-9])"), r" \1 \2"),
    (re.compile(r"([0-9])(-)"), r"\1 \2 "),
)
_ENTITIES = (("<skipped>", ""), ("-\n", ""), ("\n", " "), ("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))


def _bleu(predicted: Any, actual: Any) -> Scorer:
    """Corpus BLEU of Papineni and others (2002) with the exponential smoothing of sacrebleu (Post 2018)."""
    counted = [_common(_words(one), _words(two), _WORDS) for one, two in zip(rows_of(predicted), rows_of(actual), strict=True)]
    rows = np.array(counted, dtype=np.float64).reshape(len(counted), 3 * _WORDS)

    def finish(sums: np.ndarray) -> np.ndarray:
        given, wanted, met = sums[:, :_WORDS], sums[:, _WORDS : 2 * _WORDS], sums[:, 2 * _WORDS :]
        halvings = (met == 0).cumsum(axis=1)
        precision = ratio(np.where(met > 0, met, 0.5**halvings), given)
        length = np.where(given[:, 0] > 0, np.exp(np.minimum(0, 1 - ratio(wanted[:, 0], given[:, 0]))), 0)
        scored = np.isfinite(precision).all(axis=1) & (met > 0).any(axis=1)
        bleu = length * np.exp(np.log(np.where(scored[:, None], precision, 1)).mean(axis=1))
        return np.where(wanted[:, 0] > 0, np.where(scored, bleu, 0), np.nan)

    return Sums(rows, finish)


def _chrf(predicted: Any, actual: Any) -> Scorer:
    """Corpus chrF of Popović (2015): F2 of the mean precision and the mean recall of 1 to 6 characters, blanks left out."""
    counted = [_common(_letters(one), _letters(two), _CHARACTERS) for one, two in zip(rows_of(predicted), rows_of(actual), strict=True)]
    rows = np.array(counted, dtype=np.float64).reshape(len(counted), 3 * _CHARACTERS)
    rows[:, :_CHARACTERS][rows[:, _CHARACTERS : 2 * _CHARACTERS] == 0] = 0  # As sacrebleu: what is longer than the whole reference.

    def finish(sums: np.ndarray) -> np.ndarray:
        given, wanted, met = sums[:, :_CHARACTERS], sums[:, _CHARACTERS : 2 * _CHARACTERS], sums[:, 2 * _CHARACTERS :]
        both = (given > 0) & (wanted > 0)
        orders = np.maximum(both.sum(axis=1), 1)
        precision = np.where(both, ratio(met, given), 0).sum(axis=1) / orders
        recall = np.where(both, ratio(met, wanted), 0).sum(axis=1) / orders
        weighed = _BETA**2 * precision + recall
        score = np.divide((1 + _BETA**2) * precision * recall, weighed, out=np.zeros_like(weighed), where=weighed > 0)
        return np.where(wanted[:, 0] > 0, score, np.nan)

    return Sums(rows, finish)


def _words(text: str | Sequence[int]) -> Sequence[str | int]:
    """The words of a text as sacrebleu's tokenizer 13a splits it; tokens as they are."""
    if not isinstance(text, str):
        return text
    for entity, character in _ENTITIES:
        text = text.replace(entity, character)
    text = f" {text} "
    for pattern, replacement in _PUNCTUATION:
        text = pattern.sub(replacement, text)
    return text.split()


def _letters(text: str | Sequence[int]) -> Sequence[str | int]:
    return "".join(text.split()) if isinstance(text, str) else text


def _common(predicted: Sequence[str | int], actual: Sequence[str | int], longest: int) -> list[int]:
    """How many n-grams of each length are predicted, there, and both."""
    pairs = [(_grams(predicted, size), _grams(actual, size)) for size in range(1, longest + 1)]
    met = [(one & two).total() for one, two in pairs]
    return [*(one.total() for one, _ in pairs), *(two.total() for _, two in pairs), *met]


def _grams(tokens: Sequence[str | int], size: int) -> Counter[tuple[str | int, ...]]:
    return Counter(tuple(tokens[start : start + size]) for start in range(len(tokens) - size + 1))


class Translation(Task):
    """Tokens that say what others say."""

    name = "translation"
    title = "Translation"
    targets = "the tokens of each sample, int[N, T], padded with -1"
    agreement = "BLEU against the reference's tokens"
    metrics = (
        Metric(name="bleu", title="BLEU", score=_bleu),
        Metric(name="chrf", title="chrF", score=_chrf),
    )

    def fits(self, signature: Signature, targets: np.ndarray | None) -> bool:  # noqa: ARG002
        """Never: tokens may be a transcript as well."""
        return False

    def check(self, signature: Signature, targets: np.ndarray, origin: str) -> None:
        """As `Task.check`."""
        check_padded(signature, targets, origin, expected=self.targets, output="an output int[N, T] or float[N, T, V]", vocabulary="V")

    def predictions(self, outputs: Mapping[str, np.ndarray]) -> list[list[int]]:
        """The tokens of each sample."""
        output = next(iter(outputs.values()))
        return rows_of(output if output.ndim == 2 else by_parts(lambda part: part.argmax(axis=2), output))

    def as_targets(self, predictions: list[list[int]]) -> np.ndarray:
        """The tokens, ``[N, T]``, padded with -1."""
        return padded(predictions)
