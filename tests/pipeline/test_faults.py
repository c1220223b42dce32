"""Faults planted in real artifacts: each is found, whatever its precision, and the step that made it is named."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from tests.conftest import Trained
from toolkit.converters.base import Recipe
from toolkit.converters.planner import all_converters
from toolkit.core import MANIFEST, Artifact, Verdict, sha256_of
from toolkit.models.data import find_data
from toolkit.pipeline.verify import Verifier

Change = Callable[[np.ndarray], np.ndarray]


@pytest.fixture
def bundle(trained_cnn: Trained, tmp_path: Path) -> Path:
    for name in ("onnx-fp32", "onnx-int8"):
        shutil.copytree(trained_cnn.bundle / name, tmp_path / "cnn" / name)
    return tmp_path / "cnn"


@pytest.fixture(scope="module")
def verifier(trained_cnn: Trained) -> Verifier:
    """One for all tests: it looks at the trained model once, in a process that imports torch."""
    return Verifier(Artifact.load(trained_cnn.bundle / "pt2-fp32"), find_data("digits").load("test", rows=slice(300)))


def planted(folder: Path, dtype: type[np.generic], change: Change) -> Artifact:
    """The artifact with its largest weight of `dtype` changed, and a manifest that fits the new file."""
    file = folder / "model.onnx"
    model = onnx.load(file)
    weights = [w for w in model.graph.initializer if numpy_helper.to_array(w).dtype == dtype]
    largest = max(weights, key=lambda w: numpy_helper.to_array(w).size)
    largest.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(largest).copy()), largest.name))
    onnx.save(model, file)
    manifest = Artifact.load(folder, verify=False).manifest
    (folder / MANIFEST).write_bytes(replace(manifest, files={file.name: sha256_of(file)}, evidence=()).to_json())
    return Artifact.load(folder)


def nudged(weights: np.ndarray) -> np.ndarray:
    weights.flat[:40] += 0.5
    return weights


def know(verifier: Verifier, artifact: Artifact) -> None:
    verifier.remember(artifact)


def test_a_fault_in_the_parent_is_not_blamed_on_the_child(bundle: Path, verifier: Verifier) -> None:
    bad = planted(bundle / "onnx-fp32", np.float32, nudged)
    (to_openvino,) = (c for c in all_converters() if c.name == "openvino_from_onnx")
    child = to_openvino.convert(bad, bundle / "openvino-fp32", Recipe())
    know(verifier, bad)
    for artifact in (child, bad):
        found = verifier.verify(artifact)
        assert found.verdict is Verdict.FAILED
        assert {report.failed_edge for report in found.manifest.evidence} == {"onnx_from_pt2"}
    against_root, against_parent = Artifact.load(child.path).manifest.evidence
    assert (against_root.verdict, against_parent.verdict) == (Verdict.FAILED, Verdict.PASSED)
    assert against_root.reason.startswith("max error")


def test_a_quantizer_that_broke_the_net_is_named(bundle: Path, verifier: Verifier) -> None:
    know(verifier, Artifact.load(bundle / "onnx-fp32"))
    bad = planted(bundle / "onnx-int8", np.int8, lambda weights: weights[::-1].copy())
    found = verifier.verify(bad)
    assert found.verdict is Verdict.FAILED
    assert {report.failed_edge for report in found.manifest.evidence} == {"onnx_int8"}
    task = found.manifest.evidence[0].task
    assert task is not None
    assert task.drop > 1
    assert "accuracy drop" in found.manifest.evidence[0].reason


def test_nan_fails_and_its_evidence_can_be_read_again(bundle: Path, verifier: Verifier) -> None:
    bad = planted(bundle / "onnx-fp32", np.float32, lambda weights: np.full_like(weights, np.nan))
    found = verifier.verify(bad)
    assert found.verdict is Verdict.FAILED
    again = Artifact.load(bad.path)
    assert again.manifest == found.manifest
    assert again.manifest.evidence[0].reason == "NaN or infinity in the outputs"
    assert not again.manifest.evidence[0].outputs[0].finite


def test_a_cache_that_cannot_be_written_does_not_undo_a_proof(bundle: Path, verifier: Verifier, monkeypatch: pytest.MonkeyPatch) -> None:
    (bundle / "file").touch()
    monkeypatch.setenv("TOOLKIT_CACHE", str(bundle / "file" / "cache"))
    found = verifier.verify(Artifact.load(bundle / "onnx-fp32"))
    assert found.verdict is Verdict.PASSED


def test_too_few_samples_are_not_decided(bundle: Path, verifier: Verifier) -> None:
    few = Verifier(Artifact.load(bundle / "onnx-fp32"), verifier.samples.rows(slice(30)))
    found = few.verify(Artifact.load(bundle / "onnx-int8"))
    assert found.verdict is Verdict.UNDECIDED
    assert "inconclusive: " in found.manifest.evidence[0].reason
    assert found.manifest.evidence[0].failed_edge == ""
