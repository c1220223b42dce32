from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.core import InputError, Vocabulary
from toolkit.core.vocabulary import split_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't PANIC!", ["don't", "panic", "!"]),
        ("rock’n’roll, twice - over", ["rock'n'roll", "twice", "over"]),
        ("Élan_vital 42?", ["élan", "vital", "42", "?"]),
        (" '' \n", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert split_words(text) == words


def test_the_commonest_words_come_first() -> None:
    vocabulary = Vocabulary.of(["b a b", "a c c c", "once"], length=4, most=2)
    assert vocabulary.words == ("c", "a"), "a and b are as common: by the alphabet; a word that occurs once is unknown"
    assert vocabulary.tokens == 4
    np.testing.assert_array_equal(vocabulary.encode(["a b c", "c c a c c c"]), [[3, 1, 2, 0], [2, 2, 3, 2]])
    assert vocabulary.encode([]).shape == (0, 4)


@pytest.mark.parametrize(
    ("text", "line"), [("", "text 2 has no words"), (" ...", "text 2 has no words"), ("a" * 100_000, "50,000 characters")]
)
def test_what_is_no_text_is_refused(text: str, line: str) -> None:
    with pytest.raises(InputError, match=line):
        Vocabulary(("a",), 3).encode(["a", text])


@given(st.lists(st.text(st.sampled_from("ab c'!."), max_size=30), max_size=5))
def test_every_token_is_one(texts: list[str]) -> None:
    vocabulary = Vocabulary.of(["a b ab ba", "a b ab ba"], length=6, most=3)
    texts = [text for text in texts if split_words(text)]
    rows = vocabulary.encode(texts)
    assert rows.shape == (len(texts), 6)
    assert ((rows >= 0) & (rows < vocabulary.tokens)).all()
    for row, text in zip(rows, texts, strict=True):
        assert (row != 0).sum() == min(6, len(split_words(text)))


def test_a_number_that_no_word_has_is_an_unknown_word() -> None:
    vocabulary = Vocabulary(("good", "bad"), 4)
    assert vocabulary.decode(np.array([2, 3, 4, -7])) == "good bad … …"
