"""Mistakes in tokens of texts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.pipeline.app_input.networks import taking
from toolkit.core import Preprocessing, Tokens
from toolkit.pipeline.app_input import diagnose

TOKENS = Tokens(tokens=("<pad>", "<unk>", *"abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ"), split="characters", unknown=1)
NET = taking("ids:int64[batch,24]", Preprocessing(text=TOKENS))


def ids(text: str, tokens: Tokens = TOKENS) -> np.ndarray:
    numbers = tokens.encode(text)[:24]
    return np.array(numbers + [0] * (24 - len(numbers)), np.int64)


@pytest.mark.parametrize(
    ("app", "words"),
    [
        (lambda text: ids(text) + (np.arange(24) < len(text)), "each token is +1 of its number"),
        (lambda text: ids(text, replace(TOKENS, lower=True)), "the text is in lower case"),
        (lambda text: np.roll(ids(text), 24 - len(text)), "what fills up stands in front"),
        (lambda text: np.r_[101, ids(text)[:-1]], "a token 101 stands in front"),
        (lambda text: np.where(np.arange(24) < len(text), ids(text), 1), "filled up with 1: the network takes 0"),
        (lambda text: ids(text).astype(np.int32), "the array is int32, the network takes int64"),
        (lambda text: ids(text[::-1]), "the last token stands first"),
    ],
)
def test_a_planted_mistake_is_named(app: object, words: str, tmp_path: Path) -> None:
    (file := tmp_path / "a.txt").write_text("Edge Inference")
    found = diagnose(NET, app("Edge Inference"), file)  # type: ignore[operator]
    assert words in found.verdict
    assert len(found.changes) == 1


def test_the_end_of_what_is_too_long_and_what_is_right(tmp_path: Path) -> None:
    text = "a text that is longer than the input of the network"
    (file := tmp_path / "a.txt").write_text(text)
    assert "the end of the text is taken" in diagnose(NET, ids(text[-24:]), file).verdict
    assert diagnose(NET, ids(text)[None], file).right
