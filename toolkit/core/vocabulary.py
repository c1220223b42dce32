"""How a text becomes numbers: plain data that travels in a manifest, so that an app encodes as the training did."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from .errors import InputError

PAD, UNKNOWN = 0, 1
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[!?]", re.UNICODE)
_LONGEST = 50_000


def split_words(text: str) -> list[str]:
    """The words of a text in lower case, with their apostrophes; exclamation and question marks count as words."""
    return [word.replace("’", "'") for word in _WORD.findall(text.lower())]


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Tokens of any network's own: a text is split, and each piece has the number of its place among them.

    Args:
        tokens: in the order of their numbers.
        split: into words between blanks, or into characters.
        lower: whether texts are in lower case.
        unknown: the number of what is none of them; None where that is an error.
        pad: the number that fills up what is shorter than an input.
        length: how many an input has that has no fixed size.
    """

    tokens: tuple[str, ...]
    split: Literal["words", "characters"] = "words"
    lower: bool = False
    unknown: int | None = None
    pad: int = 0
    length: int | None = None

    def encode(self, text: str) -> list[int]:
        """The numbers of a text; raises `InputError` for what has none."""
        text = text.lower() if self.lower else text
        pieces = text.split() if self.split == "words" else list(text.strip())
        found = [self._numbers.get(piece, self.unknown) for piece in pieces]
        if None in found:
            raise InputError(f"'{pieces[found.index(None)]}' is no token", expected=f"one of {len(self.tokens)}", hint="say: unknown = 1")
        return [number for number in found if number is not None]

    def row(self, numbers: Sequence[int], length: int) -> list[int]:
        """The first `length` numbers of a text, filled up behind."""
        return [*numbers[:length], *[self.pad] * (length - len(numbers))]

    def decode(self, numbers: Iterable[int]) -> str:
        """The text of some numbers; those that are none are left out."""
        known = range(len(self.tokens))
        return (" " if self.split == "words" else "").join(self.tokens[number] for number in numbers if number in known)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.tokens)}


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
