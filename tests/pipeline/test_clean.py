"""`toolkit clean` removes what it knows, and nothing else."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.tiny import tiny_artifact
from toolkit.cli import toolkit
from toolkit.core import Artifact, CalibrationRecord, InputError, Precision
from toolkit.pipeline.clean import find_waste


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A trained net, what was made of it, logs, a leftover of another machine, and a user's own things."""
    home = tmp_path / "artifacts" / "net"
    trained = tiny_artifact(home)
    root = trained.manifest.content_sha256
    replace(trained, manifest=replace(trained.manifest, root="")).with_evidence(())
    for seed, (precision, edge, origin) in enumerate((
        (Precision.INT8, "onnx_int8", "digits/train"),
        (Precision.INT8_WEIGHTS, "onnx_int8_weights", ""),
        (Precision.FP16, "onnx_int8", "mine.npz"),
        (Precision.INT8_DYNAMIC, "by hand", ""),
    ), start=1):  # fmt: skip
        made = tiny_artifact(home, precision, seed=seed)
        record = CalibrationRecord(origin, 1, "") if origin else None
        replace(made, manifest=replace(made.manifest, root=root, edge=edge, calibration=record)).with_evidence(())
    (home / "logs").mkdir()
    (home / "logs" / "onnx-int8.log").write_text("words")
    left = home / f".onnx-fp16-{'0' * 8}-1-abcdefgh"
    (left / "new").mkdir(parents=True)
    os.utime(left, (0, 0))
    (home / "notes.log").write_text("mine")
    (tmp_path / "artifacts" / "logs").mkdir()
    (tmp_path / "artifacts" / "logs" / "diary.log").write_text("mine")
    return home


def found(bundle: Path, *, artifacts: bool = False) -> list[str]:
    return sorted(str(waste.path.relative_to(bundle)).partition("-0000")[0] for waste in find_waste(bundle.parent, artifacts=artifacts))


def test_leftovers_and_logs_are_found(bundle: Path) -> None:
    assert found(bundle) == [".onnx-fp16", "logs/onnx-int8.log"]


def test_artifacts_that_can_be_made_again_are_found(bundle: Path) -> None:
    """Not the trained one, not one made by hand, not one calibrated on a file of the user's."""
    assert found(bundle, artifacts=True) == [".onnx-fp16", "logs/onnx-int8.log", "onnx-int8", "onnx-int8-weights"]


@pytest.mark.parametrize(("variant", "again"), [("entropy", True), ("mine", False)])
def test_an_artifact_of_a_users_own_recipe_stays(bundle: Path, variant: str, again: bool) -> None:
    artifact = Artifact.load(bundle / "onnx-int8")
    replace(artifact, manifest=replace(artifact.manifest, variant=variant)).with_evidence(())
    assert ("onnx-int8" in found(bundle, artifacts=True)) is again


def test_without_the_trained_model_nothing_can_be_made_again(bundle: Path) -> None:
    file = bundle / "onnx-fp32" / "model.onnx"
    file.write_bytes(file.read_bytes() + b"?")
    assert found(bundle, artifacts=True) == [".onnx-fp16", "logs/onnx-int8.log"]


def test_a_folder_with_more_than_an_artifact_stays(bundle: Path) -> None:
    (bundle / "onnx-int8" / "notes.txt").write_text("mine")
    assert "onnx-int8" not in found(bundle, artifacts=True)


def test_links_are_not_followed(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.log").write_text("mine")
    (bundle / "logs" / "onnx-int8.log").unlink()
    (bundle / "logs").rmdir()
    (bundle / "logs").symlink_to(tmp_path / "other")
    (bundle / "link").symlink_to(bundle / "onnx-int8")
    assert found(bundle, artifacts=True) == [".onnx-fp16", "onnx-int8", "onnx-int8-weights"]


def test_first_it_is_shown_then_done(bundle: Path) -> None:
    folder = str(bundle.parent)
    before = sorted(bundle.parent.rglob("*"))
    shown = CliRunner().invoke(toolkit, ["clean", folder, "--artifacts"])
    assert (shown.exit_code, sorted(bundle.parent.rglob("*"))) == (0, before)
    assert "would remove 4 files and folders" in shown.output
    assert "--yes" in shown.output
    listed = json.loads(CliRunner().invoke(toolkit, ["clean", folder, "--artifacts", "--json"]).output)
    assert (len(listed["found"]), listed["removed"]) == (4, False)
    done = CliRunner().invoke(toolkit, ["clean", folder, "--artifacts", "--yes"])
    assert "removed 4 files and folders" in done.output
    assert sorted(path.name for path in bundle.iterdir()) == ["notes.log", "onnx-fp16", "onnx-fp32", "onnx-int8-dynamic"]
    assert (bundle.parent / "logs" / "diary.log").is_file()
    assert Artifact.load(bundle / "onnx-fp32")
    assert "would remove 0 files" in CliRunner().invoke(toolkit, ["clean", folder, "--artifacts"]).output


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder"):
        find_waste(tmp_path / "nothing")
