"""Sequence tagging: a tag for each token.

A signature does not name its tags. So spans are read as tags are usually numbered: 0 is outside, then come the beginning and the inside of
each kind in turn (1 = B-PER, 2 = I-PER, 3 = B-ORG ...). The metric that decides is of tokens, which no numbering can make wrong, as long
as 0 is outside.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from toolkit.core import Signature
from toolkit.core.mapped import by_parts

from ._counts import ratio_of_sums
from ._targets import IGNORED, check_below, is_whole, refused
from .base import Metric, Scorer, Task

OUTSIDE = 0
MOST = 1000
"""From so many on they are a vocabulary, not tags."""


def _tokens(predicted: np.ndarray, actual: np.ndarray) -> Scorer:
    """F1 over the tokens that are not outside, as scikit-learn's with ``average="micro"`` and the other tags as `labels`."""
    counted = actual != IGNORED
    found, true = counted & (predicted != OUTSIDE), counted & (actual != OUTSIDE)
    return ratio_of_sums(2 * (found & true & (predicted == actual)).sum(axis=1), found.sum(axis=1) + true.sum(axis=1))


def _spans(predicted: np.ndarray, actual: np.ndarray) -> Scorer:
    """F1 over spans, which are right where start, end and kind are: seqeval's, and that of the CoNLL-2000 script."""
    counted = actual != IGNORED
    sample = np.nonzero(counted)[0]
    found, true = (_spans_of(tags[counted].astype(np.int64), sample) for tags in (predicted, actual))
    both = np.array(sorted(set(map(tuple, found.tolist())) & set(map(tuple, true.tolist()))), dtype=np.int64).reshape(-1, 3)
    count = [np.bincount(sample[spans[:, 0]], minlength=len(actual)) for spans in (both, found, true)]
    return ratio_of_sums(2 * count[0], count[1] + count[2])


def _spans_of(tags: np.ndarray, sample: np.ndarray) -> np.ndarray:
    """First token, end and kind of each span in rows of tags, one after the other, ``[K, 3]``; an inside after nothing begins one."""
    kind, begins = (tags + 1) // 2, tags % 2 == 1
    new = np.ones(len(tags), dtype=bool)
    new[1:] = (kind[1:] != kind[:-1]) | (sample[1:] != sample[:-1]) | begins[1:]
    starts = np.flatnonzero(new)
    ends = np.append(starts[1:], len(tags))
    spans: np.ndarray = np.column_stack([starts, ends[: len(starts)], kind[starts]])[tags[starts] != OUTSIDE]
    return spans


class Tagging(Task):
    """A tag for each token."""

    name = "tagging"
    title = "Sequence tagging"
    targets = "a tag for each token, int[N, T] in [0, C), 0 being outside; -100 does not count"
    agreement = "F1 of tokens against the reference's tags"
    metrics = (
        Metric(name="token-f1", title="F1 over tokens", score=_tokens),
        Metric(name="span-f1", title="F1 over spans", score=_spans),
    )

    def fits(self, signature: Signature, targets: np.ndarray | None) -> bool:
        """Whether there is a number for each token, some do not count, and there are too few for a vocabulary."""
        shape = signature.outputs[0].shape
        if targets is None or targets.ndim != 2 or not is_whole(targets) or len(signature.outputs) != 1 or len(shape) != 3:
            return False
        few = isinstance(shape[2], int) and shape[2] < MOST
        return few and bool((targets == IGNORED).any()) and one_for_each(signature, targets)

    def check(self, signature: Signature, targets: np.ndarray, origin: str) -> None:
        """As `Task.check`."""
        check_tokens(signature, targets, origin, expected=self.targets, what="tag")

    def predictions(self, outputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """The tag with the largest score, ``[N, T]``."""
        return by_parts(lambda part: part.argmax(axis=2), next(iter(outputs.values())))

    def as_targets(self, predictions: np.ndarray) -> np.ndarray:
        """The tags, ``[N, T]``."""
        return predictions


def one_for_each(signature: Signature, targets: np.ndarray) -> bool:
    """Whether the first output, ``[N, T, C]``, has as many steps as the targets: where T is free, an input has that size too. Steps that a
    network makes of something else, such as the width of a picture, have no numbers of their own.
    """
    steps = signature.outputs[0].shape[1]
    return steps == targets.shape[1] if isinstance(steps, int) else any(steps in spec.shape for spec in signature.inputs)


def check_tokens(signature: Signature, targets: np.ndarray, origin: str, *, expected: str, what: str) -> None:
    """Raise `DataError` unless there is a number for each token of the first output, ``[N, T, C]``, or `IGNORED`."""
    spec = signature.outputs[0]
    if len(spec.shape) != 3:
        raise refused(origin, f"are a {what} for each token", expected="an output [N, T, C]", got=str(spec))
    if not is_whole(targets) or targets.ndim != 2:
        raise refused(origin, f"are no {what}s", targets=targets, expected=expected)
    if isinstance(spec.shape[1], int) and spec.shape[1] != targets.shape[1]:
        hint = f"fill up with {IGNORED}"
        raise refused(origin, "are of another length than the output", targets=targets, expected=f"int[N, {spec.shape[1]}]", hint=hint)
    check_below(targets, origin, classes=spec.shape[2], what=what, ignored=IGNORED)
