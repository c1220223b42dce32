"""A planted fault is found, and the step at which the numbers departed is named; `load` trusts only what was proved."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import toolkit
from tests.tiny import tiny_artifact, tiny_samples, with_parity
from toolkit.core import MANIFEST, Artifact, ArtifactError, Bundle, Precision, UnknownNameError, Verdict, sha256_of
from toolkit.core.measurement import Protocol
from toolkit.pipeline.benchmark import benchmark_bundle
from toolkit.pipeline.verify import Verifier, engines_for, others_for, verify_all


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))


def step(source: Artifact, name: str, edge: str, *, fault: float = 0.0, root: Artifact) -> Artifact:
    """A further artifact made of `source`, with one weight changed by `fault`."""
    folder = source.path.parent / name
    shutil.copytree(source.path, folder)
    model = onnx.load(folder / "model.onnx")
    weights = numpy_helper.to_array(model.graph.initializer[0]).copy()
    weights[0, 0] += fault
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, model.graph.initializer[0].name))
    model.doc_string = edge  # another file, whatever the fault
    onnx.save(model, folder / "model.onnx")
    manifest = replace(
        source.manifest,
        files={"model.onnx": sha256_of(folder / "model.onnx")},
        edge=edge,
        parent=source.manifest.content_sha256,
        root=root.manifest.content_sha256,
        evidence=(),
    )
    (folder / MANIFEST).write_bytes(manifest.to_json())
    return Artifact.load(folder)


@pytest.fixture
def root(tmp_path: Path) -> Artifact:
    made = tiny_artifact(tmp_path / "net")
    manifest = replace(made.manifest, root="")
    (made.path / MANIFEST).write_bytes(manifest.to_json())
    return Artifact.load(made.path)


def test_a_fault_names_its_step(root: Artifact) -> None:
    good = step(root, "one", "first_step", root=root)
    bad = step(good, "two", "second_step", fault=3.0, root=root)
    after = step(bad, "three", "third_step", root=root)
    verifier = Verifier(root, tiny_samples(), made=(good, bad, after))
    assert verifier.verify(good).verdict is Verdict.PASSED
    found = {name: verifier.verify(artifact) for name, artifact in (("bad", bad), ("after", after))}
    for artifact in found.values():
        assert artifact.verdict is Verdict.FAILED
        assert {report.failed_edge for report in artifact.manifest.evidence} == {"second_step"}
    # The last step itself changed nothing: against its parent it passes.
    assert [report.verdict for report in found["after"].manifest.evidence] == [Verdict.FAILED, Verdict.PASSED]


def test_an_edge_that_changes_no_byte_fails_as_itself(root: Artifact) -> None:
    """As to bf16: the artifact has the content of its own parent."""
    bad = step(root, "bad", "first_step", fault=3.0, root=root)
    copy = replace(bad, manifest=replace(bad.manifest, edge="second_step", parent=bad.manifest.content_sha256))
    for made in ((bad, copy), (copy, bad), (copy,)):
        found = Verifier(root, tiny_samples(), made=made).verify(copy)
        assert {report.failed_edge for report in found.manifest.evidence} == {"first_step" if bad in made else "second_step"}


def test_parents_in_a_circle_end_somewhere(root: Artifact) -> None:
    one, two = (step(root, name, name, fault=3.0, root=root) for name in ("one", "two"))
    one = replace(one, manifest=replace(one.manifest, parent=two.manifest.content_sha256))
    two = replace(two, manifest=replace(two.manifest, parent=one.manifest.content_sha256))
    assert Verifier(root, tiny_samples(), made=(one, two)).verify(one).verdict is Verdict.FAILED


def test_nan_fails(tmp_path: Path, root: Artifact) -> None:
    bad = tiny_artifact(tmp_path / "bad", nan=True)
    assert Verifier(root, tiny_samples()).verify(bad).verdict is Verdict.FAILED


def test_evidence_is_remembered_and_asked_again_for_other_samples(root: Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
    good = step(root, "one", "first_step", root=root)
    first = Verifier(root, tiny_samples()).verify(good)
    monkeypatch.setattr("toolkit.pipeline.verify.observe", lambda *_, **__: pytest.fail("looked again"))
    assert Verifier(root, tiny_samples()).verify(good).manifest.evidence == first.manifest.evidence
    with pytest.raises(pytest.fail.Exception, match="looked again"):
        Verifier(root, tiny_samples().rows(slice(0, 5))).verify(good)


def test_one_that_cannot_be_verified_does_not_stop_the_others(root: Artifact) -> None:
    good, broken = step(root, "one", "first_step", root=root), tiny_artifact(root.path.parent, Precision.FP16, seed=9)
    broken.model_file.write_bytes(b"garbage")
    results = verify_all(Verifier(root, tiny_samples()), [broken, good])
    assert [(name, list(r.errors), r.passed) for name, r in results.items()] == [("onnx-fp16", [""], False), ("onnx-fp32", [], True)]
    assert results["onnx-fp16"].artifact == broken


def test_an_engine_that_cannot_run_it_does_not_stop_the_engines_after_it(root: Artifact) -> None:
    made = step(root, "one", "first_step", root=root)
    model = onnx.load(made.model_file)
    # ONNX Runtime has the operators of classical machine learning, OpenVINO has not.
    scaler = onnx.helper.make_node("Scaler", ["scaled"], ["logits"], domain="ai.onnx.ml", scale=[1.0], offset=[0.0])
    model.graph.node[-1].output[0] = "scaled"
    model.graph.node.append(scaler)
    model.opset_import.append(onnx.helper.make_opsetid("ai.onnx.ml", 3))
    onnx.save(model, made.model_file)
    manifest = replace(made.manifest, files={"model.onnx": sha256_of(made.model_file)})
    (made.path / MANIFEST).write_bytes(manifest.to_json())
    made = Artifact.load(made.path)
    for engines in (("openvino", "onnxruntime"), ("onnxruntime", "openvino")):
        result = verify_all(Verifier(root, tiny_samples()), [made], engines={made.name: engines})[made.name]
        assert [(report.engine, report.verdict) for report in result.reports] == [("onnxruntime", Verdict.PASSED)]
        assert list(result.errors) == ["openvino"]
        assert "No conversion rule found for operations: ai.onnx.ml.Scaler" in str(result.errors["openvino"])
        assert not result.passed
        assert Artifact.load(made.path).manifest.evidence == result.reports
    alone = verify_all(Verifier(root, tiny_samples()), [made], engines={made.name: ("openvino",)})[made.name]
    assert not alone.reports
    assert Artifact.load(made.path).verdict is Verdict.PASSED


def test_engines_are_chosen_by_name(root: Artifact) -> None:
    assert engines_for(root, None) == ("onnxruntime",)
    assert engines_for(root, ("openvino",)) == ("openvino",)
    assert set(engines_for(root, ("all",))) == {"onnxruntime", "openvino"}
    with pytest.raises(toolkit.ToolkitError, match="no installed engine of those asked for runs onnx-fp32"):
        engines_for(root, ("litert",))
    assert others_for(root, ("all",)) == ("openvino",)
    assert others_for(root, ("onnxruntime",)) == ()
    with pytest.raises(UnknownNameError, match="did you mean 'openvino'"):
        others_for(root, ("openvno",))


def test_load_takes_only_what_passed(tmp_path: Path) -> None:
    bundle = tmp_path / "net"
    artifact = tiny_artifact(bundle)
    with pytest.raises(ArtifactError, match=r"that passed parity: expected at least one, got onnx-fp32: not verified; run: toolkit verify"):
        toolkit.load(bundle)
    with_parity(artifact, Verdict.FAILED)
    with pytest.raises(ArtifactError, match="got onnx-fp32: failed"):
        toolkit.load(bundle)
    with toolkit.load(bundle, unverified=True) as session:
        assert session.run(np.zeros((2, 64), np.float32))["logits"].shape == (2, 10)
    with_parity(artifact)
    with toolkit.load(bundle) as session:
        assert session.actual.engine == "onnxruntime"


def test_load_refuses_a_file_that_changed_after_its_proof(tmp_path: Path) -> None:
    artifact = with_parity(tiny_artifact(tmp_path / "net"))
    artifact.model_file.write_bytes(artifact.model_file.read_bytes() + b"\x00")
    with pytest.raises(ArtifactError, match="not the file its manifest describes"):
        toolkit.load(tmp_path / "net")


def test_load_follows_the_stored_benchmark_of_this_machine(tmp_path: Path) -> None:
    bundle = tmp_path / "net"
    for precision in (Precision.FP32, Precision.FP16):
        with_parity(tiny_artifact(bundle, precision, seed=len(precision)))
    protocol = Protocol(rounds=3, min_seconds=0.01, warmup_seconds=0.01)
    report = benchmark_bundle(Bundle(bundle), tiny_samples(), protocol=protocol, engines=["onnxruntime"])
    # Two equal nets: whichever is quicker, the higher precision is recommended where they cannot be told apart.
    from toolkit.pipeline.recommend import recommend

    chosen = recommend(report).artifact
    with toolkit.load(bundle) as session, toolkit.load(bundle / chosen) as same:
        x = np.ones((1, 64), np.float32)
        assert np.array_equal(session.run(x)[0], same.run(x)[0])


def test_load_measures_for_itself_without_a_benchmark(tmp_path: Path) -> None:
    for precision in (Precision.FP32, Precision.FP16):
        with_parity(tiny_artifact(tmp_path / "net", precision, seed=len(precision)))
    with toolkit.load(tmp_path / "net", threads=1) as session:
        assert session.actual.threads == 1
