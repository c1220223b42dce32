"""Artifacts: what is written is read back, and what was changed is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.tiny import tiny_artifact
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


def test_a_generator_from_before_there_were_tasks_has_its_own(tmp_path: Path) -> None:
    make(tmp_path / "onnx-int8")
    file = tmp_path / "onnx-int8" / MANIFEST
    told = json.loads(file.read_bytes())
    file.write_text(json.dumps(told | {"details": {"samples": "noise", "classes": 10}}))
    manifest = Artifact.load(tmp_path / "onnx-int8").manifest
    assert (manifest.task, manifest.details) == ("generation", {"classes": 10})


def test_a_variant_is_part_of_the_name(tmp_path: Path) -> None:
    artifact = make(tmp_path / "onnx-int8-entropy")
    manifest = replace(artifact.manifest, variant="entropy")
    (artifact.path / MANIFEST).write_bytes(manifest.to_json())
    assert Bundle.load(tmp_path).artifact("onnx-int8-entropy").manifest == manifest
    assert manifest.content_sha256 == artifact.manifest.content_sha256


@pytest.mark.parametrize(
    "variant", ["../x", "a/b", "A", "a\n", "-a", "a-", "a" * 21, "a-b-c-d-e", "dynamic", "weights", "dynamic-x", "\x1b[31m"]
)
def test_a_variant_that_is_no_name_is_refused(tmp_path: Path, variant: str) -> None:
    artifact = make(tmp_path / "net")
    (artifact.path / MANIFEST).write_bytes(replace(artifact.manifest, variant=variant).to_json())
    with pytest.raises(ArtifactError, match="cannot be read") as caught:
        Artifact.load(tmp_path / "net")
    assert str(caught.value).isprintable()


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


def changed(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """The artifact in `folder` with another manifest."""
    manifest = json.loads((folder / MANIFEST).read_text())
    change(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return folder


@pytest.mark.parametrize(
    ("place", "key", "value", "problem"),
    [
        ("inputs", "dtype", "O", "unknown dtype"),
        ("inputs", "dtype", "float33", "unknown dtype"),
        ("outputs", "shape", [-1, 10], "impossible shape"),
        ("outputs", "shape", [0], "impossible shape"),
        ("inputs", "shape", [2**62, 2**62], "impossible shape"),
        ("inputs", "shape", [1] * 40, "impossible shape"),
        ("inputs", "name", "a\nb\x1b[2J", "no usable name"),
        ("outputs", "name", "", "no usable name"),
    ],
)
def test_a_signature_that_no_network_has_is_refused_in_one_plain_line(
    tmp_path: Path, place: str, key: str, value: object, problem: str
) -> None:
    folder = tiny_artifact(tmp_path).path
    changed(folder, lambda manifest: manifest["signature"][place][0].update({key: value}))
    with pytest.raises(ArtifactError, match=problem) as caught:
        Artifact.load(folder)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("place", ["inputs", "outputs"])
@pytest.mark.parametrize("count", [0, 2])
def test_no_tensors_or_two_of_one_name_are_refused(tmp_path: Path, place: str, count: int) -> None:
    folder = tiny_artifact(tmp_path).path
    changed(folder, lambda manifest: manifest["signature"].update({place: manifest["signature"][place] * count}))
    with pytest.raises(ArtifactError, match=r"have one name|at least one"):
        Artifact.load(folder)


@pytest.mark.parametrize("about", [{"std": [0.0]}, {"mean": [1e308, -1e308], "std": [1.0]}, {"std": []}])
def test_a_preprocessing_that_fits_no_image_is_refused(tmp_path: Path, about: dict[str, list[float]]) -> None:
    folder = tiny_artifact(tmp_path).path
    shape = {"shape": ["batch", 3, 8, 8]}
    changed(folder, lambda manifest: (manifest.update(preprocessing=about), manifest["signature"]["inputs"][0].update(shape)))
    with pytest.raises(ArtifactError, match="preprocessing fits no image"):
        Artifact.load(folder)


def test_brackets_nested_too_deeply_are_refused(tmp_path: Path) -> None:
    folder = tiny_artifact(tmp_path).path
    text = (folder / MANIFEST).read_text()
    (folder / MANIFEST).write_text(text.replace('"evidence": []', f'"other": {"[" * 100_000}{"]" * 100_000}'))
    with pytest.raises(ArtifactError, match="nested too deeply"):
        Artifact.load(folder)


def test_a_link_in_a_bundle_is_refused(tmp_path: Path) -> None:
    elsewhere = tiny_artifact(tmp_path / "elsewhere").path
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "onnx-fp32").symlink_to(elsewhere)
    with pytest.raises(ArtifactError, match="is a link"):
        Bundle.load(tmp_path / "net")


def test_links_that_lead_to_each_other_are_refused(tmp_path: Path) -> None:
    artifact = tiny_artifact(tmp_path)
    artifact.model_file.unlink()
    artifact.model_file.symlink_to("other.onnx")
    (artifact.path / "other.onnx").symlink_to(artifact.model_file.name)
    with pytest.raises(ArtifactError):
        Artifact.load(artifact.path)
