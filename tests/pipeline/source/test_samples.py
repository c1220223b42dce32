"""Random inputs where no data are known, and the samples that a bundle remembers."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.tiny import tiny_artifact, tiny_samples
from toolkit.core import Artifact, DataError
from toolkit.pipeline.source.remembered import REMEMBERED, limits_for, remember, remembered
from toolkit.pipeline.source.samples import knows_data, split_samples
from toolkit.runtimes.parity import Limits


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    return tiny_artifact(tmp_path / "net")


def test_random_inputs_only_where_they_may_be_drawn(artifact: Artifact) -> None:
    split = split_samples(artifact, None, may_draw=True)
    assert (split.calibration.drawn, split.evaluation.drawn, split.evaluation.targets) == (True, True, None)
    assert split.evaluation.origin == "random inputs, seed 2"
    assert not np.isin(split.calibration.row_keys(), split.evaluation.row_keys()).any()
    assert split_samples(artifact, None, may_draw=True).evaluation.sha256 == split.evaluation.sha256
    assert not knows_data(artifact)
    with pytest.raises(DataError, match="no data are known"):
        split_samples(artifact, None)


def test_named_data_are_not_drawn(artifact: Artifact, tmp_path: Path) -> None:
    tiny_samples(30).save(tmp_path / "s.npz")
    split = split_samples(artifact, str(tmp_path / "s.npz"), may_draw=True)
    assert (split.evaluation.drawn, split.evaluation.origin) == (False, "s.npz")
    assert not split.evaluation.rows(slice(3)).fit(artifact.manifest.signature).drawn


def test_a_bundle_remembers_its_samples(artifact: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tiny_samples(30).save(Path("s.npz"))
    remember(artifact.path.parent, data="s.npz")
    monkeypatch.chdir("/")
    assert knows_data(artifact)
    told = split_samples(artifact, str(tmp_path / "s.npz"))
    assert split_samples(artifact, None).evaluation.sha256 == told.evaluation.sha256, "wherever the command is called"
    Path(tmp_path / "s.npz").unlink()
    with pytest.raises(DataError, match=r"the samples that this bundle was made with are gone: '.*s\.npz'; name others: --data FILE"):
        split_samples(artifact, None, may_draw=True)


def test_a_data_set_is_remembered_by_its_name(artifact: Artifact) -> None:
    remember(artifact.path.parent, data="digits")
    with pytest.raises(DataError, match=r"digits"):  # Images do not fit this net; that they are asked says that the name was read.
        split_samples(artifact, None)


@pytest.mark.parametrize("content", [b"", b"[" * 5000, b'{"data": 3}', b"\xff", b'{"data": "digits", "max_drop": -1}'])
def test_a_damaged_note_is_none(artifact: Artifact, content: bytes) -> None:
    (artifact.path.parent / REMEMBERED).write_bytes(content)
    assert not knows_data(artifact)
    assert limits_for(Limits(), artifact.path.parent) == (Limits(), "")


def test_a_note_without_a_limit_is_read(tmp_path: Path) -> None:
    (tmp_path / REMEMBERED).write_bytes(b'{"data": "digits"}\n')
    assert remembered(tmp_path).data == "digits"
    assert limits_for(Limits(), tmp_path) == (Limits(), "")


def test_a_bundle_remembers_its_limit_until_another_is_named(tmp_path: Path) -> None:
    remember(tmp_path, limits=Limits())
    assert not (tmp_path / REMEMBERED).exists(), "nobody chose anything"
    remember(tmp_path, data="digits", limits=Limits(5))
    remember(tmp_path, limits=Limits(3))
    assert remembered(tmp_path).data == "digits"
    assert limits_for(Limits(), tmp_path / "other", tmp_path) == (Limits(3), str(tmp_path))
    assert limits_for(Limits(2), tmp_path) == (Limits(2), "")
    remember(tmp_path, limits=Limits())
    assert limits_for(Limits(), tmp_path) == (Limits(), "")
    named = Limits(1.0, relative=True, metric="macro-f1")
    remember(tmp_path, limits=named)
    assert limits_for(Limits(), tmp_path) == (named, str(tmp_path))


def test_a_note_is_read_from_files_only(artifact: Artifact) -> None:
    (artifact.path.parent / REMEMBERED).mkdir()
    assert not knows_data(artifact)
    shutil.rmtree(artifact.path.parent / REMEMBERED)
