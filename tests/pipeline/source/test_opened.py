"""What a command that measures may be given."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import Trained
from tests.tiny import tiny_artifact
from toolkit.core import ArtifactError, UnknownNameError
from toolkit.pipeline.source.opened import opened


def test_a_bundle_and_an_artifact_stay_where_they_are(trained_cnn: Trained) -> None:
    with opened(str(trained_cnn.bundle)) as found:
        assert (found.bundle.path, found.artifact, found.kept, found.subject.name) == (trained_cnn.bundle, None, True, "pt2-fp32")
        with pytest.raises(ArtifactError, match=r"a bundle: name one of its artifacts, .*onnx-int8"):
            _ = found.single
    with opened(str(trained_cnn.bundle / "onnx-int8")) as found:
        assert found.artifact is not None
        assert (found.artifact.name, found.single, found.kept) == ("onnx-int8", found.artifact, True)
        assert found.bundle.path.resolve() == trained_cnn.bundle.resolve()


def test_a_models_name_is_its_bundle(trained_cnn: Trained, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "artifacts").symlink_to(trained_cnn.bundle.parent)
    monkeypatch.chdir(tmp_path)
    with opened("cnn") as found:
        assert (found.bundle.path, found.kept) == (Path("artifacts/cnn"), True)
    with pytest.raises(UnknownNameError, match="did you mean 'cnn'"), opened("cnnn"):
        pass


def test_a_bare_file_is_a_bundle_for_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(tiny_artifact(tmp_path / "tiny").model_file, tmp_path / "mine.onnx")
    with opened("mine.onnx") as found:
        folder = found.bundle.path
        assert (found.kept, found.single.name, found.single.manifest.model) == (False, "onnx-fp32", "mine")
        assert found.subject == found.single
    assert not folder.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.onnx", "tiny"], "nothing is written beside it"


def test_an_artifact_is_the_one_of_its_bundle_whatever_it_is_called_by(trained_cnn: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained_cnn.bundle / "onnx-int8")
    for text in (".", "../onnx-int8"):
        with opened(text) as found:
            assert found.artifact is not None
            assert found.artifact.path in {artifact.path for artifact in found.bundle}, "strangers are known by their paths"
            assert found.artifact.path.name == "onnx-int8"
