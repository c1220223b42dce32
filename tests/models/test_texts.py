"""Sets of texts: the rated sentences, and folders in the layout of the IMDb set."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.models.test_data import REAL_CACHE
from toolkit.core import DataError, Preprocessing, UnknownNameError
from toolkit.models import find_model
from toolkit.models.data.movie_reviews import MovieReviews
from toolkit.models.training import train

DATA = MovieReviews()
TEXTS = {"pos": ("a good film", "good, very good!"), "neg": ("a bad film", "so bad<br />so sad")}


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    home = tmp_path / "reviews" / "aclImdb"
    for split in ("train", "test"):
        for label, texts in TEXTS.items():
            (home / split / label).mkdir(parents=True)
            for number in range(20):
                (home / split / label / f"{number:02}.txt").write_text(texts[number % 2])
    return home.parent


def test_a_folder_of_reviews(reviews: Path) -> None:
    assert DATA.is_here(reviews)
    samples = DATA.load("test", reviews)
    tokens, targets = samples.inputs["tokens"], samples.targets
    assert targets is not None
    assert tokens.shape == (40, 48)
    assert tokens.dtype == targets.dtype == np.int64
    assert targets.tolist() == [0] * 20 + [1] * 20
    words = DATA.vocabulary(reviews).words
    assert set(words) == {"a", "good", "film", "very", "!", "bad", "so", "sad"}
    assert [words[token - 2] for token in tokens[1] if token] == ["so", "bad", "so", "sad"], "a line break is no word"
    some = DATA.load("test", reviews, rows=slice(39, None))
    assert (some.inputs["tokens"] == tokens[39:]).all()
    assert DATA.preparation(reviews) == Preprocessing(vocabulary=DATA.vocabulary(reviews))
    with pytest.raises(UnknownNameError, match="unknown split"):
        DATA.load("validation", reviews)


def test_folders_that_hold_no_reviews_are_refused(reviews: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no texts in"):
        DATA.load("train", tmp_path)
    (reviews / "aclImdb" / "train" / "pos" / "00.txt").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(DataError, match=r"00\.txt' cannot be read as UTF-8"):
        DATA.load("train", reviews)
    for label in TEXTS:
        for file in (reviews / "aclImdb" / "test" / label).iterdir():
            file.unlink()
    with pytest.raises(DataError, match="no texts in"):
        DATA.load("test", reviews)


def test_a_damaged_file_is_not_read(cache: Path) -> None:
    file = cache / "data" / DATA.name / "movieReviewSnippets_GroundTruth.txt"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"1\t2.5\tA film\n")
    with pytest.raises(DataError, match=r"is not the published file.*remove it"):
        DATA.load("train")


def test_the_rated_sentences(cache: Path) -> None:
    real = REAL_CACHE / DATA.name
    if not real.is_dir():
        pytest.skip("movie-reviews is not on this machine")
    shutil.copytree(real, cache / "data" / DATA.name)
    train_texts, train_labels = DATA.texts("train")
    test_texts, test_labels = DATA.texts("test")
    assert (len(train_texts), len(test_texts)) == (8454, 2114)
    assert abs(train_labels.mean() - test_labels.mean()) < 0.001
    assert "Effective but too tepid biopic" in {*train_texts, *test_texts}
    tokens = DATA.load("test").inputs["tokens"]
    assert tokens.max() < DATA.vocabulary().tokens == 8002
    assert (tokens != 0).any(axis=1).all()


@pytest.mark.parametrize("name", ["text-cnn", "attention-lstm"])
def test_texts_are_learned(name: str, reviews: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    model = find_model(name)
    recipe = replace(model.recipe(DATA.name), epochs=10, batch_size=8, learning_rate=1e-2)
    result = train(model, DATA, recipe=recipe, out=tmp_path / name, data_folder=reviews)
    assert result.test.accuracy == 1.0
    assert result.baseline is not None
    assert result.baseline.value == 1.0
    preparation = result.artifact.manifest.preprocessing
    assert preparation is not None
    assert preparation.vocabulary == DATA.vocabulary(reviews), "an app encodes by the manifest"
