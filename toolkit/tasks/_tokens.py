"""Rows of tokens of unequal length, and texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from toolkit.core import Signature

from ._targets import PADDING, check_below, is_whole, refused


def rows_of(texts: Any) -> list[Any]:
    """Texts as they are, and the tokens of each row of ``[N, T]`` without its padding, all below 0."""
    if isinstance(texts, np.ndarray) and texts.ndim == 2:
        return [row[row >= 0].tolist() for row in texts]
    return [str(each) if isinstance(each, str) else list(each) for each in texts]


def split(text: str | Sequence[int], *, by_character: bool) -> Sequence[str | int]:
    """The words or the characters of a text; tokens are both."""
    if not isinstance(text, str):
        return text
    return list(text.strip()) if by_character else text.split()


def padded(rows: Sequence[Sequence[int]]) -> np.ndarray:
    """The tokens ``[N, T]`` int64, padded with -1, T being at least 1."""
    result = np.full((len(rows), max(1, max(map(len, rows), default=0))), PADDING, dtype=np.int64)
    for place, row in enumerate(rows):
        result[place, : len(row)] = row
    return result


def check_padded(signature: Signature, targets: np.ndarray, origin: str, *, expected: str, output: str, vocabulary: str) -> None:
    """Raise `DataError` unless targets are rows of tokens, padded with -1, and the first output is scores or tokens.

    Args:
        signature: the network's.
        targets: ``[N, T]``.
        origin: where they come from.
        expected: what they must be.
        output: what the first output must be.
        vocabulary: what the number of tokens is called where the output does not say it.
    """
    spec = signature.outputs[0]
    if not (len(spec.shape) == 3 and "float" in spec.dtype) and not (len(spec.shape) == 2 and "int" in spec.dtype):
        raise refused(origin, "are for tokens", expected=output, got=str(spec))
    if targets.dtype.kind in "USO":
        hint = "the network gives tokens: give their numbers, from the vocabulary that it was trained with"
        raise refused(origin, "are texts", targets=targets, expected=expected, hint=hint)
    if not is_whole(targets) or targets.ndim != 2:
        raise refused(origin, "are no tokens", targets=targets, expected=expected)
    check_below(targets[targets != PADDING], origin, classes=spec.shape[2] if len(spec.shape) == 3 else vocabulary, what="token")
