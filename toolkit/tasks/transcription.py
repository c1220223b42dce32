"""Transcription: what was said, as tokens.

Outputs that are read: scores ``[N, T, C]`` of CTC, where token 0 is the blank (the best token of each step, repetitions and blanks left
out: greedy decoding), or tokens ``[N, T]`` as whole numbers, padded with -1. Of tokens each counts as a word and as a character; texts,
which the metrics take too, are words between blanks, and characters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from toolkit.core import Signature
from toolkit.core.mapped import by_parts

from ._counts import ratio_of_sums
from ._targets import IGNORED, PADDING, is_whole
from ._tokens import check_padded, padded, rows_of, split
from .base import Metric, Scorer, Task

BLANK = 0
Texts = Sequence[str] | Sequence[Sequence[int]] | np.ndarray


def _words(predicted: Texts, actual: Texts) -> Scorer:
    return _errors(predicted, actual, by_character=False)


def _characters(predicted: Texts, actual: Texts) -> Scorer:
    return _errors(predicted, actual, by_character=True)


def _errors(predicted: Texts, actual: Texts, *, by_character: bool) -> Scorer:
    pairs = [
        (split(one, by_character=by_character), split(two, by_character=by_character))
        for one, two in zip(rows_of(predicted), rows_of(actual), strict=True)
    ]
    edits = [_distance(*pair) for pair in pairs]
    return ratio_of_sums(np.array(edits, dtype=np.float64), np.array([len(true) for _, true in pairs], dtype=np.float64))


def _distance(first: Sequence[str | int], second: Sequence[str | int]) -> int:
    """The least number of substitutions, insertions and deletions: Levenshtein, row by row."""
    known = {token: number for number, token in enumerate({*first, *second})}
    columns = np.array([known[token] for token in second], dtype=np.int64)
    place = np.arange(len(second) + 1)
    row = place.copy()
    for number, token in enumerate(first, 1):
        step = np.minimum(row[1:] + 1, row[:-1] + (columns != known[token]))
        # What is to the left may be nearer: the least of (value - place) so far, a place at a time.
        row = np.minimum.accumulate(np.concatenate([[number], step]) - place) + place
    return int(row[-1])


class Transcription(Task):
    """What was said, as tokens."""

    name = "transcription"
    title = "Transcription"
    targets = "the tokens of each sample, int[N, T], padded with -1"
    agreement = "word error rate against the reference's transcripts"
    metrics = (
        Metric(name="wer", title="word error rate", score=_words, higher_is_better=False),
        Metric(name="cer", title="character error rate", score=_characters, higher_is_better=False),
    )

    def fits(self, signature: Signature, targets: np.ndarray | None) -> bool:
        """Whether there are padded tokens, or texts, for the scores of steps."""
        if (
            targets is None
            or len(signature.outputs) != 1
            or len(signature.outputs[0].shape) != 3
            or "float" not in signature.outputs[0].dtype
        ):
            return False
        is_text = targets.dtype.kind == "U" and targets.ndim == 1
        return is_text or (
            is_whole(targets) and targets.ndim == 2 and bool((targets == PADDING).any()) and not bool((targets == IGNORED).any())
        )

    def check(self, signature: Signature, targets: np.ndarray, origin: str) -> None:
        """As `Task.check`."""
        check_padded(signature, targets, origin, expected=self.targets, output="an output float[N, T, C] or int[N, T]", vocabulary="C")

    def predictions(self, outputs: Mapping[str, np.ndarray]) -> list[list[int]]:
        """The tokens of each sample."""
        output = next(iter(outputs.values()))
        if output.ndim == 2:
            return rows_of(output)
        best = by_parts(lambda part: part.argmax(axis=2), output)
        changed = np.concatenate([np.ones((len(best), 1), dtype=bool), best[:, 1:] != best[:, :-1]], axis=1)
        return [row[keep].tolist() for row, keep in zip(best, changed & (best != BLANK), strict=True)]

    def as_targets(self, predictions: list[list[int]]) -> np.ndarray:
        """The tokens, ``[N, T]``, padded with -1."""
        return padded(predictions)
