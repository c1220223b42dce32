"""The bill of materials: strictly what CycloneDX 1.6 allows, and what the manifests and files say."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.conftest import Trained
from tests.tiny import as_trained, tiny_artifact, with_parity
from toolkit.core import MANIFEST, Artifact, ArtifactError, Bundle, InputError, Precision, TensorSpec, UnknownNameError, sha256_of
from toolkit.pipeline.export.bom import export

OLD = Path(__file__).parents[2] / "data" / "0.1.0" / "perceptron"


def made(model: Path, out: Path, **options: Any) -> dict[str, Any]:
    """The document, which the format's own library finds nothing to say of."""
    export(model, out, **options)
    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(out.read_text())
    assert problem is None, str(problem)[:500]
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def properties(component: dict[str, Any]) -> dict[str, str]:
    return {each["name"].removeprefix("toolkit:"): each["value"] for each in component["properties"]}


def test_the_validator_refuses_what_the_format_has_not() -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str('{"bomFormat": "CycloneDX", "specVersion": "1.6", "model": 1}') is not None


def test_a_bundle_of_every_format(trained_cnn: Trained, tmp_path: Path) -> None:
    found = made(trained_cnn.bundle, tmp_path / "bom.json")
    bundle = Bundle.load(trained_cnn.bundle)
    models = {each["name"]: each for each in found["components"] if each["type"] == "machine-learning-model"}
    assert set(models) == {f"cnn/{artifact.name}" for artifact in bundle}
    for artifact in bundle:
        component = models[f"cnn/{artifact.name}"]
        hashes = {file["name"]: file["hashes"][0]["content"] for file in component["components"]}
        assert hashes == {name: sha256_of(artifact.path / name) for name in artifact.manifest.files}
        parameters = component["modelCard"]["modelParameters"]
        assert parameters["task"] == "classification"
        assert [each["format"] for each in parameters["inputs"]] == [str(spec) for spec in artifact.manifest.signature.inputs]
        assert [each["format"] for each in parameters["outputs"]] == [str(spec) for spec in artifact.manifest.signature.outputs]
        assert properties(component)["content_sha256"] == artifact.manifest.content_sha256
    int8 = models["cnn/onnx-int8"]
    (report,) = [each for each in bundle.artifact("onnx-int8").manifest.evidence if each.reference == int8_root(bundle)]
    assert report.task is not None
    metrics = {each["type"]: each for each in int8["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]}
    where = f"onnxruntime {report.engine_version} on cpu, n={report.task.samples}"
    assert metrics["accuracy"] == {"type": "accuracy", "value": f"{report.task.candidate:.6g}", "slice": where}
    bounds = {"lowerBound": f"{report.task.drop_low:.6g}", "upperBound": f"{report.task.drop_high:.6g}"}
    assert metrics["accuracy drop, points"]["confidenceInterval"] == bounds
    agreement = metrics["top-1 agreement of 'logits'"]["confidenceInterval"]
    assert float(agreement["lowerBound"]) < float(agreement["upperBound"])
    calibration = [each for each in int8["modelCard"]["modelParameters"]["datasets"] if each["description"].startswith("calibration")]
    assert [each["name"] for each in calibration] == ["digits/train"]


def int8_root(bundle: Bundle) -> str:
    return bundle.artifact("onnx-int8").manifest.root


def test_what_made_it_and_what_runs_it_are_told_apart(trained_cnn: Trained, tmp_path: Path) -> None:
    found = made(trained_cnn.bundle, tmp_path / "bom.json", names=("onnx-int8", "tflite-int8"))
    libraries = {each["name"]: each for each in found["components"] if each["type"] == "library"}
    versions = Artifact.load(trained_cnn.bundle / "tflite-int8").manifest.versions
    assert set(versions) <= set(libraries)
    assert {name for name, each in libraries.items() if each["scope"] == "optional"} == {"onnxruntime", "ai-edge-litert"}
    assert {each["scope"] for name, each in libraries.items() if name not in {"onnxruntime", "ai-edge-litert"}} == {"excluded"}
    needed = {each["ref"]: each["dependsOn"] for each in found["dependencies"]}
    assert needed["cnn"] == ["cnn/onnx-int8", "cnn/tflite-int8"]
    assert needed["cnn/tflite-int8"] == [libraries["ai-edge-litert"]["bom-ref"]]
    refs = [each["bom-ref"] for each in found["components"]]
    assert {ref for each in needed.values() for ref in each} <= set(refs)
    assert len(refs) == len(set(refs))


def test_manifests_of_version_0_1_0(tmp_path: Path) -> None:
    found = made(OLD, tmp_path / "bom.json")
    assert found["metadata"]["component"]["name"] == "perceptron"
    assert "pkg:pypi/torch@2.13.0%2Bcpu" in {each.get("purl") for each in found["components"]}


def test_the_same_time_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    one, other = made(OLD, tmp_path / "a.json"), made(OLD, tmp_path / "b.json")
    assert one == other
    assert one["metadata"]["timestamp"] == "2023-11-14T22:13:20+00:00"
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert made(OLD, tmp_path / "c.json")["serialNumber"] != one["serialNumber"]
    for wrong in ("yesterday", "9" * 30):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", wrong)
        with pytest.raises(InputError, match="SOURCE_DATE_EPOCH: expected seconds since 1970"):
            export(OLD, tmp_path / "d.json")
    assert not (tmp_path / "d.json").exists()


def test_one_artifact_and_what_a_manifest_may_hold(tmp_path: Path) -> None:
    artifact = with_parity(tiny_artifact(tmp_path / "net"))
    about = artifact.manifest
    odd = replace(
        about,
        model="né\x1b[31m/..",
        signature=replace(about.signature, inputs=(TensorSpec('x"|`', "float32", ("batch", 64)),)),
        versions={"Odd_Name": "", "numpy": "2.0"},
        details={"samples": True, "note": "a\nb"},
        data="",
    )
    (artifact.path / MANIFEST).write_bytes(odd.to_json())
    found = made(artifact.path, tmp_path / "bom.json")
    assert [each["name"] for each in found["components"]] == ["n\u00e9\\x1b[31m/../onnx-fp32", "numpy", "Odd_Name", "onnxruntime"]
    assert "\x1b" not in (tmp_path / "bom.json").read_text()


def test_what_is_refused_is_not_half_written(tmp_path: Path) -> None:
    root = as_trained(tiny_artifact(tmp_path / "net"))
    other = tiny_artifact(tmp_path / "net", Precision.FP16)  # of another network, "trained"
    out = tmp_path / "bom.json"
    assert export(tmp_path / "net", out) == ("onnx-fp32",)
    out.unlink()
    with pytest.raises(UnknownNameError, match="onnx-fp16"):
        export(tmp_path / "net", out, names=("onnx-fp16",))
    with pytest.raises(InputError, match="is one artifact"):
        export(root.path, out, names=("onnx-fp32",))
    with pytest.raises(ArtifactError, match="no such folder"):
        export(tmp_path / "nothing", out)
    shutil.rmtree(other.path)
    root.model_file.write_bytes(b"another")
    with pytest.raises(ArtifactError, match="is not the file its manifest describes"):
        export(tmp_path / "net", out)
    assert not out.exists()
