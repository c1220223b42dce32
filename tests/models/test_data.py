from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from toolkit.core import Preprocessing, UnknownNameError, cache_home
from toolkit.models.data import SPLITS, DataSet, ImageSet, all_data, find_data
from toolkit.models.data._split import stratified
from toolkit.models.data.base import prepare
from toolkit.models.data.digits import Digits

REAL_CACHE = cache_home() / "data"


def place_of(data: DataSet) -> Path | None:
    """Where the set is on this machine, outside the empty cache of the test; skips the test when it is nowhere."""
    if data.is_here():
        return None
    if (REAL_CACHE / data.name).is_dir() and data.is_here(REAL_CACHE):
        return REAL_CACHE
    pytest.skip(f"{data.name} is not on this machine")


def test_registry() -> None:
    assert {"digits", "fashion-mnist", "mnist"} <= {data.name for data in all_data()}
    with pytest.raises(UnknownNameError, match=r"unknown data set 'fashion': .*; did you mean 'fashion-mnist'\?"):
        find_data("fashion")


@pytest.mark.parametrize("data", [d for d in all_data() if isinstance(d, ImageSet)], ids=lambda data: data.name)
def test_every_set_of_images(data: ImageSet) -> None:
    folder = place_of(data)
    for split in SPLITS:
        samples = data.load(split, folder, rows=slice(0, 500))
        images, targets = samples.inputs["image"], samples.targets
        assert list(samples.inputs) == ["image"]
        assert samples.origin == f"{data.name}/{split}"
        assert images.shape == (500, *data.input_shape)
        assert images.dtype == np.float32
        assert targets is not None
        assert targets.dtype == np.int64
        assert targets.shape == (500,)
        assert set(targets) == set(range(len(data.labels)))
        assert abs(images.mean()) < 0.1
        assert abs(images.std() - 1) < 0.1
    with pytest.raises(UnknownNameError, match="unknown split 'validation'"):
        data.load("validation")


@pytest.mark.parametrize("name", ["fashion-mnist", "mnist"])
def test_published_sets(name: str) -> None:
    data = find_data(name)
    folder = place_of(data)
    test = data.load("test", folder)
    counts = {"fashion-mnist": [1000] * 10, "mnist": [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]}
    first = {"fashion-mnist": [9, 2, 1, 1, 6, 1, 4, 6, 5, 7], "mnist": [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]}
    assert test.targets is not None
    assert np.bincount(test.targets).tolist() == counts[name]
    assert test.targets[:10].tolist() == first[name]
    assert len(data.load("train", folder, rows=slice(59_990, None))) == 10


class TestDigits:
    def test_known_answers(self) -> None:
        train, test = Digits().load("train"), Digits().load("test")
        assert (len(train), len(test)) == (1000, 797)
        assert train.targets is not None
        assert test.targets is not None
        whole = np.bincount(train.targets) + np.bincount(test.targets)
        assert whole.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
        assert np.abs(np.bincount(test.targets) - whole * 797 / 1797).max() < 1
        assert not set(train.row_keys()) & set(test.row_keys())

    def test_values_are_the_prepared_ones_of_scikit_learn(self) -> None:
        from sklearn.datasets import load_digits

        raw = load_digits()
        train = Digits().load("train")
        row = int(np.setdiff1d(np.arange(1797), stratified(raw.target, 797, seed=0))[17])
        np.testing.assert_allclose(train.inputs["image"][17, 0], (raw.images[row] / 16 - 0.305) / 0.376, rtol=1e-6, atol=1e-6)
        assert train.targets is not None
        assert train.targets[17] == raw.target[row]

    def test_the_split_never_changes(self) -> None:
        assert Digits().load("test").sha256 == Digits().load("test").sha256
        assert stratified(np.arange(1000) % 7, 20, seed=0)[:6].tolist() == stratified(np.arange(1000) % 7, 20, seed=0)[:6].tolist()

    def test_a_second_load_needs_no_scikit_learn(self, cache: Path) -> None:
        before = Digits().load("test").sha256
        code = (
            "import sys; sys.modules['sklearn'] = None; from toolkit.models.data import find_data; d = find_data('digits');"
            "s = d.load('test'); assert d.is_here(); assert 'scipy' not in sys.modules; print(s.sha256)"
        )
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert result.stdout.strip() == before

    @pytest.mark.parametrize("damage", [b"", b"\0\0\x08\x01", None])
    def test_a_damaged_cache_is_made_again(self, cache: Path, damage: bytes | None) -> None:
        before = Digits().load("train").sha256
        kept = cache / "data" / "digits" / "images"
        content = kept.read_bytes()
        kept.unlink()
        kept.write_bytes(content[:-1] + b"\7" if damage is None else damage)
        assert Digits().load("train").sha256 == before
        assert kept.read_bytes() == content

    def test_a_cache_that_cannot_be_written_is_no_error(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "file").write_text("in the way")
        monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "file"))
        assert len(Digits().load("test")) == 797


class TestPrepare:
    def test_grey(self) -> None:
        images = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)
        prepared = prepare(images, Preprocessing(scale=1 / 255, mean=(0.5,), std=(0.25,)))
        assert prepared.shape == (4, 1, 8, 8)
        np.testing.assert_allclose(prepared[:, 0], (images / 255 - 0.5) / 0.25, rtol=1e-6, atol=1e-6)

    def test_colour(self) -> None:
        images = np.random.default_rng(0).integers(0, 256, (2, 3, 5, 3)).astype(np.uint8)
        prepared = prepare(images, Preprocessing(scale=0.5, mean=(1, 2, 3), std=(1, 2, 4)))
        expected = (images * 0.5 - np.array([1, 2, 3])) / np.array([1, 2, 4])
        np.testing.assert_allclose(prepared, expected.transpose(0, 3, 1, 2), rtol=1e-6)


class TestStratified:
    @pytest.mark.parametrize("count", [0, 1, 17, 100, 299, 300])
    def test_shares(self, count: int) -> None:
        targets = np.repeat([0, 1, 2], [200, 70, 30])
        picked = stratified(targets, count, seed=3)
        assert len(picked) == count
        assert len(set(picked)) == count
        shares = np.bincount(targets[picked], minlength=3)
        assert np.abs(shares - np.array([200, 70, 30]) * count / 300).max() < 1

    def test_seed(self) -> None:
        targets = np.arange(100) % 10
        assert stratified(targets, 50, seed=0).tolist() != stratified(targets, 50, seed=1).tolist()
