"""What an engine answers, seen from outside: all batches, all samples, and the reason where there is no answer."""

from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.tiny import tiny_artifact, tiny_samples
from toolkit.core import (
    MANIFEST,
    Artifact,
    ArtifactError,
    DataError,
    DeviceError,
    InputError,
    Samples,
    Signature,
    TensorSpec,
    cache_home,
    mapped,
)
from toolkit.core.mapped import mapping_of
from toolkit.runtimes import open_session
from toolkit.runtimes.parity import observe, probe


def with_signature(artifact: Artifact, signature: Signature) -> Artifact:
    (artifact.path / MANIFEST).write_bytes(replace(artifact.manifest, signature=signature).to_json())
    return Artifact.load(artifact.path)


def test_the_outputs_are_the_sessions_own(tmp_path: Path) -> None:
    artifact, samples = tiny_artifact(tmp_path), tiny_samples(70)
    seen = observe(artifact, "onnxruntime", samples)
    assert seen.artifact == artifact.manifest.content_sha256
    assert seen.actual is not None
    assert (seen.actual.engine, seen.actual.device, seen.actual.float_type) == ("onnxruntime", "cpu", "fp32")
    with open_session(artifact) as session:
        # 70 samples are two whole chunks and a part of a third.
        np.testing.assert_allclose(seen.samples["logits"], session.run(samples.inputs)[0], atol=1e-5)
        for batch, outputs in seen.probes.items():
            expected = session.run(probe(session.signature, batch=batch, samples=samples))[0]
            np.testing.assert_allclose(outputs["logits"], expected, atol=1e-5)


def test_large_outputs_stay_in_files_that_go_with_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    artifact, samples = tiny_artifact(tmp_path), tiny_samples(70)
    small = observe(artifact, "onnxruntime", samples).samples["logits"]
    assert mapping_of(small) is None
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(mapped, "_IN_MEMORY_BYTES", 0)
    seen = observe(artifact, "onnxruntime", samples)
    assert mapping_of(seen.samples["logits"]) is not None
    assert (np.asarray(seen.samples["logits"]) == small).all()
    home = cache_home() / mapped.PREPARED
    assert len([*home.iterdir()]) == 1
    del seen
    gc.collect()
    assert [*home.iterdir()] == []


def test_what_an_engine_refused_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    with pytest.raises(DataError):
        observe(tiny_artifact(tmp_path), "onnxruntime", Samples({"x": np.zeros((3, 5), np.float32)}))
    assert [*(cache_home() / mapped.PREPARED).iterdir()] == []


def test_a_fixed_batch_is_asked_in_whole_batches(tmp_path: Path) -> None:
    seen = observe(tiny_artifact(tmp_path, batch=3), "onnxruntime", tiny_samples(20))
    assert list(seen.probes) == [3]
    assert seen.samples["logits"].shape == (18, 10)


def test_an_engine_that_fails_at_a_batch_is_the_problem(tmp_path: Path) -> None:
    fixed = tiny_artifact(tmp_path, batch=3)
    free = Signature((TensorSpec("x", "float32", ("batch", 64)),), (TensorSpec("logits", "float32", ("batch", 10)),))
    seen = observe(with_signature(fixed, free), "onnxruntime", tiny_samples())
    assert "onnxruntime failed" in seen.problem
    assert (seen.probes, seen.samples) == ({}, {})


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        (TensorSpec("logits", "float32", ("batch", 9)), "output 'logits' at batch 1: expected float32[1,9], got float32[1,10]"),
        (TensorSpec("logits", "float64", ("batch", 10)), "output 'logits' at batch 1: expected float64[1,10], got float32[1,10]"),
        (TensorSpec("logits", "float32", (1, 10)), "output 'logits' at batch 2: expected float32[1,10], got float32[2,10]"),
    ],
)
def test_an_output_that_is_not_as_promised_is_the_problem(tmp_path: Path, output: TensorSpec, problem: str) -> None:
    artifact = tiny_artifact(tmp_path)
    seen = observe(with_signature(artifact, replace(artifact.manifest.signature, outputs=(output,))), "onnxruntime", tiny_samples())
    assert seen.problem == problem


def test_errors_of_the_child_keep_their_class(tmp_path: Path) -> None:
    artifact, samples = tiny_artifact(tmp_path), tiny_samples()
    with pytest.raises(DeviceError, match="has no device 'npu' here"):
        observe(artifact, "onnxruntime", samples, device="npu")
    with pytest.raises(InputError, match="unknown engine"):
        observe(artifact, "onnx", samples)
    with pytest.raises(DataError, match="do not fit"):
        observe(artifact, "onnxruntime", Samples({"x": samples.inputs["x"][:, 1:]}))
    artifact.model_file.write_bytes(b"cut")
    with pytest.raises(ArtifactError, match="is not the file its manifest describes"):
        observe(artifact, "onnxruntime", samples)
