"""Random inputs where no data are known, and the samples that a bundle remembers."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.tiny import CLASSES, FEATURES, tiny_artifact, tiny_samples
from toolkit.core import MANIFEST, Artifact, CalibrationRecord, DataError
from toolkit.pipeline.data import Given
from toolkit.pipeline.source.remembered import REMEMBERED, limits_for, remember, remembered
from toolkit.pipeline.source.samples import knows_data, split_samples
from toolkit.tasks import Limits


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


def test_all_rows_judge_what_they_did_not_calibrate(artifact: Artifact, tmp_path: Path) -> None:
    tiny_samples(30).save(tmp_path / "s.npz")
    tiny_samples(1).save(tmp_path / "one.npz")
    judged = split_samples(artifact, str(tmp_path / "s.npz"), only_judged=True)
    assert (len(judged.calibration), len(judged.evaluation), judged.evaluation.notes) == (0, 30, ())
    assert len(split_samples(artifact, str(tmp_path / "s.npz"), only_judged=True, evaluation=7).evaluation) == 7
    assert len(split_samples(artifact, str(tmp_path / "one.npz"), only_judged=True).evaluation) == 1


def test_rows_that_calibrated_a_bundle_do_not_judge_it_and_it_is_said(artifact: Artifact, tmp_path: Path) -> None:
    tiny_samples(30).save(tmp_path / "s.npz")
    tiny_samples(31).save(tmp_path / "other.npz")
    told = split_samples(artifact, str(tmp_path / "s.npz"))
    remember(artifact.path.parent, data=str(tmp_path / "s.npz"))
    judged = split_samples(artifact, None, only_judged=True)
    assert judged.evaluation.sha256 == told.evaluation.sha256
    assert judged.evaluation.notes == ("6 more of s.npz calibrate in this bundle, and judge nothing",)
    assert len(split_samples(artifact, str(tmp_path / "other.npz"), only_judged=True).evaluation) == 31


def test_a_bundle_that_has_travelled_knows_what_calibrated_it(artifact: Artifact, tmp_path: Path) -> None:
    tiny_samples(30).save(tmp_path / "s.npz")
    record = CalibrationRecord("s.npz", 6, "0" * 64)
    other = artifact.path.parent / "onnx-int8"
    shutil.copytree(artifact.path, other)
    (other / MANIFEST).write_bytes(replace(artifact.manifest, calibration=record).to_json())
    assert len(split_samples(artifact, str(tmp_path / "s.npz"), only_judged=True).evaluation) == 24
    (other / MANIFEST).write_text("damaged")
    assert len(split_samples(artifact, str(tmp_path / "s.npz"), only_judged=True).evaluation) == 24


def test_as_many_rows_stay_apart_as_calibrated(artifact: Artifact, tmp_path: Path) -> None:
    """A conversion may be told to calibrate on more than the usual number, or on fewer."""
    tiny_samples(3000).save(tmp_path / "s.npz")
    other = artifact.path.parent / "onnx-int8"
    shutil.copytree(artifact.path, other)
    for count in (600, 40):
        made = split_samples(artifact, str(tmp_path / "s.npz"), calibration=count)
        record = CalibrationRecord("s.npz", len(made.calibration), made.calibration.sha256)
        (other / MANIFEST).write_bytes(replace(artifact.manifest, calibration=record).to_json())
        judged = split_samples(artifact, str(tmp_path / "s.npz"), only_judged=True)
        assert (len(judged.evaluation), judged.evaluation.sha256) == (3000 - count, made.evaluation.sha256)


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


def test_how_data_are_read_is_remembered_too(artifact: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    rows = np.column_stack([np.random.default_rng(0).random((40, FEATURES)), np.arange(40) % CLASSES, np.arange(40)])
    names = [*(f"p{place}" for place in range(FEATURES)), "digit", "id"]
    np.savetxt("t.csv", rows, delimiter=",", header=",".join(names), comments="", fmt=[*["%.6f"] * FEATURES, "%d", "%d"])
    given = Given(word="t.csv", columns=(f"{','.join(names[:FEATURES])}=x",), target="digit", max_samples=30)
    told = split_samples(artifact, given)
    assert len(told.calibration) + len(told.evaluation) == 30
    remember(artifact.path.parent, data=given)
    monkeypatch.chdir("/")
    assert split_samples(artifact, None).evaluation.sha256 == told.evaluation.sha256


def test_a_note_of_an_earlier_version_is_understood(artifact: Artifact, tmp_path: Path) -> None:
    tiny_samples(30).save(tmp_path / "s.npz")
    note = artifact.path.parent / REMEMBERED
    note.write_text(json.dumps({"data": str(tmp_path / "s.npz")}))
    assert len(split_samples(artifact, None).evaluation) == 24
    (tmp_path / "s.npz").unlink()
    with pytest.raises(DataError, match="the samples that this bundle was made with are gone"):
        split_samples(artifact, None)


def test_arrays_and_code_are_divided_alike(artifact: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What calibrates does not depend on the form in which samples are handed over."""
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    x, y = tiny_samples(50).inputs["x"], np.arange(50) % 7 % 3
    np.savez(tmp_path / "s.npz", x=x, y=y)
    (tmp_path / "mydata.py").write_text(
        f"import numpy as np\nwith np.load({str(tmp_path / 's.npz')!r}) as s: load = list(zip(s['x'], s['y']))\n"
    )
    first = split_samples(artifact, str(tmp_path / "s.npz"))
    other = split_samples(artifact, f"{tmp_path / 'mydata.py'}:load")
    assert first.calibration.sha256 == other.calibration.sha256
    assert first.evaluation.sha256 == other.evaluation.sha256
    assert first.calibration.targets is not None
    assert np.bincount(first.calibration.targets).tolist() == pytest.approx(np.bincount(y) / 5, abs=1)


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
