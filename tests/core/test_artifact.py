"""Artifacts: what is written is read back, and what was changed is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from toolkit.core import (
    MANIFEST,
    Artifact,
    ArtifactError,
    Bundle,
    Format,
    Manifest,
    ParityReport,
    Precision,
    Signature,
    TensorSpec,
    Verdict,
    new_folder,
    sha256_of,
)

SIGNATURE = Signature((TensorSpec("image", "float32", ("batch", 1, 8, 8), "NCHW"),), (TensorSpec("logits", "float32", ("batch", 10)),))


def make(folder: Path, *, content: bytes = b"weights", root: str = "") -> Artifact:
    with new_folder(folder) as work:
        (work / "model.onnx").write_bytes(content)
        files = {"model.onnx": sha256_of(work / "model.onnx")}
        manifest = Manifest(
            "net", Format.ONNX, Precision.INT8, SIGNATURE, files, edge="test", root=root, recipe={"a": 1, "b": "x", "c": True}
        )
        (work / MANIFEST).write_bytes(manifest.to_json())
    return Artifact.load(folder)


def report(artifact: Artifact, verdict: Verdict) -> ParityReport:
    own = artifact.manifest.content_sha256
    return ParityReport(own, "root", "test", "engine", "1", "cpu", "fp32", verdict, "why", "rule", (1, 2), "sha", ())


def test_a_manifest_is_read_back_equal(tmp_path: Path) -> None:
    artifact = make(tmp_path / "onnx-int8")
    again = Artifact.load(tmp_path / "onnx-int8")
    assert again.manifest == artifact.manifest
    assert again.manifest.precision is Precision.INT8
    assert again.manifest.recipe == {"a": 1, "b": "x", "c": True}
    assert again.name == "onnx-int8"
    assert again.size_bytes == len(b"weights")


def test_the_identity_is_of_the_files_and_not_of_the_manifest(tmp_path: Path) -> None:
    one, two, other = make(tmp_path / "a"), make(tmp_path / "b", root="r"), make(tmp_path / "c", content=b"changed")
    assert one.manifest.content_sha256 == two.manifest.content_sha256 != other.manifest.content_sha256


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    make(tmp_path / "net")
    (tmp_path / "net" / "model.onnx").write_bytes(b"tampered")
    with pytest.raises(ArtifactError, match="not the file its manifest describes: expected SHA-256"):
        Artifact.load(tmp_path / "net")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    make(tmp_path / "net")
    (tmp_path / "net" / "model.onnx").unlink()
    with pytest.raises(ArtifactError, match="is missing"):
        Artifact.load(tmp_path / "net")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff\xfe", b'{"schema": 1, "model": 3}'])
def test_a_broken_manifest_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    make(tmp_path / "net")
    (tmp_path / "net" / MANIFEST).write_bytes(content)
    with pytest.raises(ArtifactError) as caught:
        Artifact.load(tmp_path / "net")
    assert len(str(caught.value).splitlines()) == 1


def test_another_schema_is_refused(tmp_path: Path) -> None:
    make(tmp_path / "net")
    path = tmp_path / "net" / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 99}))
    with pytest.raises(ArtifactError, match="expected 1, got 99"):
        Artifact.load(tmp_path / "net")


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/passwd", "a/../../b", "a/./b", "a//b", "..\\secret", "C:/b", ".", "", "link/b", "linked"]
)
def test_a_manifest_cannot_name_files_outside_its_folder(tmp_path: Path, name: str) -> None:
    artifact = make(tmp_path / "net")
    (tmp_path / "b").touch()
    (tmp_path / "net" / "link").symlink_to(tmp_path)
    (tmp_path / "net" / "linked").symlink_to(tmp_path / "b")
    manifest = replace(artifact.manifest, files={**artifact.manifest.files, name: "0" * 64})
    (tmp_path / "net" / MANIFEST).write_bytes(manifest.to_json())
    with pytest.raises(ArtifactError, match="outside its folder"):
        Artifact.load(tmp_path / "net")


def test_a_file_in_a_folder_of_an_artifact_is_hashed_too(tmp_path: Path) -> None:
    artifact = make(tmp_path / "net")
    file = tmp_path / "net" / "variables" / "index"
    file.parent.mkdir()
    file.write_bytes(b"weights")
    manifest = replace(artifact.manifest, files={**artifact.manifest.files, "variables/index": sha256_of(file)})
    (tmp_path / "net" / MANIFEST).write_bytes(manifest.to_json())
    assert Artifact.load(tmp_path / "net").size_bytes == artifact.size_bytes + len(b"weights")
    file.write_bytes(b"others!")
    with pytest.raises(ArtifactError, match="index' is not the file its manifest describes"):
        Artifact.load(tmp_path / "net")


def test_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no such folder"):
        Artifact.load(tmp_path / "nothing")
    with pytest.raises(ArtifactError, match="a folder without"):
        Artifact.load(tmp_path)


def test_the_verdict_is_the_worst_of_the_evidence_about_these_files(tmp_path: Path) -> None:
    artifact = make(tmp_path / "net")
    assert artifact.verdict is None
    passed, failed = report(artifact, Verdict.PASSED), report(artifact, Verdict.FAILED)
    assert artifact.with_evidence((passed,)).verdict is Verdict.PASSED
    assert artifact.with_evidence((passed, failed)).verdict is Verdict.FAILED
    assert Artifact.load(tmp_path / "net").verdict is Verdict.FAILED
    assert artifact.with_evidence((replace(passed, candidate="of other files"),)).verdict is None


def test_a_bundle_lists_its_artifacts_and_skips_what_is_half_made(tmp_path: Path) -> None:
    make(tmp_path / "onnx-int8")
    make(tmp_path / "onnx-fp32")
    make(tmp_path / ".onnx-fp16-work")
    (tmp_path / "logs").mkdir()
    assert [artifact.path.name for artifact in Bundle.load(tmp_path)] == ["onnx-fp32", "onnx-int8"]


def test_an_empty_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="holds no artifact"):
        Bundle.load(tmp_path)
    with pytest.raises(ArtifactError, match="no such folder"):
        Bundle.load(tmp_path / "nothing")
