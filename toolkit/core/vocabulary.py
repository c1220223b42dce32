"""How a text becomes numbers: plain data that travels in a manifest, so that an app encodes as the training did."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .errors import InputError

PAD, UNKNOWN = 0, 1
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[!?]", re.UNICODE)
_LONGEST = 50_000


def split_words(text: str) -> list[str]:
    """The words of a text in lower case, with their apostrophes; exclamation and question marks count as words."""
    return [word.replace("’", "'") for word in _WORD.findall(text.lower())]


@dataclass(frozen=True)
class Vocabulary:
    """``words[i]`` has the number i + 2; 0 fills up what is shorter than ``length``, 1 is any other word."""

    words: tuple[str, ...]
    length: int

    @classmethod
    def of(cls, texts: Iterable[str], *, length: int, most: int) -> Vocabulary:
        """The `most` commonest words of `texts` that occur at least twice, by frequency, then by the alphabet."""
        counts = Counter(word for text in texts for word in split_words(text))
        common = sorted((word for word, count in counts.items() if count > 1), key=lambda word: (-counts[word], word))
        return cls(tuple(common[:most]), length)

    @property
    def tokens(self) -> int:
        """How many different numbers there are."""
        return len(self.words) + 2

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """The first `length` words of each text: int64 ``[N, length]``.

        Raises:
            InputError: a text without a word, or one of more than 50,000 characters, which is no text for this.
        """
        rows = np.full((len(texts), self.length), PAD, np.int64)
        for row, text in enumerate(texts):
            if len(text) > _LONGEST:
                raise InputError(
                    f"text {row + 1}", expected=f"at most {_LONGEST:,} characters", got=f"{len(text):,}", hint="give a part of it"
                )
            numbers = [self._numbers.get(word, UNKNOWN) for word in split_words(text)[: self.length]]
            if not numbers:
                raise InputError(f"text {row + 1} has no words", expected="at least one", got=repr(text[:40]))
            rows[row, : len(numbers)] = numbers
        return rows

    def decode(self, tokens: np.ndarray) -> str:
        """The words of a row ``[length]``, with … for each that is not known."""
        known = range(UNKNOWN + 1, self.tokens)
        return " ".join(self.words[number - UNKNOWN - 1] if number in known else "…" for number in tokens if number != PAD)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words, start=UNKNOWN + 1)}
