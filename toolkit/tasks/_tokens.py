"""Rows of tokens of unequal length, and texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._targets import PADDING


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
