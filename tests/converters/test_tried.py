"""What is said of the files that were tried for one."""

from __future__ import annotations

import pytest

from toolkit.converters.tried import tried, tried_words, was_tried


def test_files_their_time_choices_and_what_stays_in_float() -> None:
    record = {"ranges": "minmax", "weights": "channel", **tried({"b", "a"}, 7, 1.24)}
    assert record == {"ranges": "minmax", "weights": "channel", "in_float": "a; b", "tried_files": 7, "tried_seconds": 1.2}
    assert tried_words(record, {"ranges"}) == "7 files tried in 1.2 s; ranges = minmax, 2 operations in float"


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ({"ranges": "minmax"}, ""),
        (tried((), 3, 2), "3 files tried in 2 s"),
        (tried({"a"}, 3, 2, 0.03125), "3 files tried in 2 s; 1 operation in float, 3.12 % of the multiply-adds in integers"),
        ({"in_float": "a", "tried_files": 1}, "1 file tried; 1 operation in float"),  # Float16 of a version that did not time them.
    ],
)
def test_what_is_not_there_is_not_said(recipe: dict[str, str | int], words: str) -> None:
    assert tried_words(recipe, {"ranges"}) == words
    assert was_tried(recipe) == bool(words)
