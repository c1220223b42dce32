"""A planted fault is found, and the step at which the numbers diverged is named; `load` trusts only what was verified."""

from __future__ import annotations

import shutil
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import numpy_helper

import toolkit
from tests.tiny import tiny_artifact, tiny_samples, with_parity
from tests.tree import copy_toolkit, edit, run_tree
from toolkit.cli import toolkit as cli
from toolkit.core import (
    MANIFEST,
    Artifact,
    ArtifactError,
    Bundle,
    InputError,
    Precision,
    UnknownNameError,
    Verdict,
    cache_home,
    instruction_sets,
    sha256_of,
    this_machine,
)
from toolkit.core.measurement import Protocol
from toolkit.pipeline import verify as pipeline_verify
from toolkit.pipeline.benchmark import benchmark_bundle
from toolkit.pipeline.verify import Verifier, engines_for, others_for, try_limits, verify_all
from toolkit.runtimes import find_runtime
from toolkit.tasks import Limits


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


def test_a_metric_that_was_tried_is_not_tried_again(root: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file := tmp_path / "mine.py").write_text("def right(output, target):\n    return float(output.argmax() == target)\n")
    samples, limits = replace(tiny_samples(), targets=np.zeros(len(tiny_samples()), np.int64)), Limits(metric=f"{file}:right")
    try_limits(root, samples, limits)
    monkeypatch.setattr("toolkit.pipeline.verify.observe", lambda *_, **__: pytest.fail("looked again"))
    try_limits(root, samples, limits)
    file.write_text("def right(output, target):\n    return float('nan')\n")
    with pytest.raises(pytest.fail.Exception, match="looked again"):
        try_limits(root, samples, limits)


@pytest.mark.parametrize(("limits", "refused"), [((1.0, False), True), ((1.0, True), False), ((0.01, False), False), ((1.0, None), False)])
def test_a_drop_that_nothing_can_have_is_refused(
    root: Artifact, tmp_path: Path, *, limits: tuple[float, bool | None], refused: bool
) -> None:
    """A user's share has no points: with ``--max-drop 1`` a network that was right in no sample passed."""
    (file := tmp_path / "mine.py").write_text("def right(output, target):\n    return 0.9\n")
    samples = replace(tiny_samples(), targets=np.zeros(len(tiny_samples()), np.int64))
    expected: AbstractContextManager[object] = (
        pytest.raises(InputError, match=r"--max-drop 1: expected less than 'right' .*: --max-drop 1%") if refused else nullcontext()
    )
    with expected:
        try_limits(root, samples, Limits(max_drop=limits[0], relative=limits[1], metric=f"{file}:right"))


def test_evidence_names_the_reference_and_the_processor(root: Artifact) -> None:
    (report,) = Verifier(root, tiny_samples()).reports(step(root, "one", "first_step", root=root), "openvino")
    assert (report.engine, report.engine_version) == ("openvino", find_runtime("openvino").version())
    assert (report.reference_engine, report.reference_version) == ("onnxruntime", find_runtime("onnxruntime").version())
    assert report.instruction_sets == this_machine().instruction_sets


@pytest.mark.parametrize("part", ["processor", "reference's version", "rules", "edge", "signature", "grandparent", "plug-in"])
def test_evidence_is_measured_again_when_what_decides_it_changes(root: Artifact, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one = step(root, "one", "first_step", root=root)
    two = step(one, "two", "second_step", root=root)
    made = step(two, "three", "third_step", root=root)
    Verifier(root, tiny_samples(), made=(one, two)).reports(made, "openvino")
    monkeypatch.setattr(pipeline_verify, "observe", lambda *_, **__: pytest.fail("looked again"))
    assert Verifier(root, tiny_samples(), made=(one, two)).reports(made, "openvino")
    known: tuple[Artifact, ...] = (one, two)
    match part:
        case "processor":
            monkeypatch.setattr(pipeline_verify, "instruction_sets", lambda: ("avx2", "avx512_vnni"))
        case "reference's version":
            monkeypatch.setattr(type(find_runtime("onnxruntime")), "version", lambda _: "0.1")
        case "rules":
            monkeypatch.setattr(pipeline_verify, "_code_sha256", lambda: "other")
        case "plug-in":
            monkeypatch.setattr(pipeline_verify, "plugin_sha256", lambda _: "other")
        case "edge":
            made = replace(made, manifest=replace(made.manifest, edge="another"))
        case "signature":
            (spec,) = made.manifest.signature.outputs
            signature = replace(made.manifest.signature, outputs=(replace(spec, layout="NC"),))
            made = replace(made, manifest=replace(made.manifest, signature=signature))
        case _:
            known = (two,)
    with pytest.raises(pytest.fail.Exception, match="looked again"):
        Verifier(root, tiny_samples(), made=known).reports(made, "openvino")


def test_an_edit_of_a_rule_is_another_rule(tmp_path: Path) -> None:
    package = copy_toolkit(tmp_path)
    code = "from toolkit.pipeline import verify; print(verify._code_sha256())"
    keys = run_tree(tmp_path, code, cache=tmp_path)
    for file in ("runtimes/parity/judge.py", "runtimes/onnxruntime.py", "core/statistics.py"):
        edit(package / file, "from __future__", "\nfrom __future__")
        keys += run_tree(tmp_path, code, cache=tmp_path)
    assert len(set(keys)) == 4


def test_evidence_of_a_gpu_is_not_kept(root: Artifact) -> None:
    """Which GPU and driver it was is not known without its engine, so that no key can name it."""
    kept = cache_home() / "evidence"
    good = step(root, "one", "first_step", root=root)
    Verifier(root, tiny_samples(), device="auto").reports(good, "openvino")
    assert not kept.exists()
    Verifier(root, tiny_samples()).reports(good, "openvino")
    assert len(list(kept.iterdir())) == 1


@pytest.mark.skipif(not instruction_sets(), reason="this system does not name its processor's instruction sets")
def test_the_command_says_that_int8_passed_on_another_processor(root: Artifact, tmp_path: Path) -> None:
    made = step(root, "onnx-int8", "first_step", root=root)
    made = with_parity(replace(made, manifest=replace(made.manifest, precision=Precision.INT8)))
    there = ("avx2",) if {"avx512_vnni", "avx_vnni", "amx_int8"} & set(instruction_sets()) else ("avx2", "avx512_vnni")
    made.with_evidence((replace(made.manifest.evidence[0], instruction_sets=there),))
    tiny_samples().save(tmp_path / "s.npz")
    words = ["verify", str(made.path.parent), "--data", str(tmp_path / "s.npz")]
    first, second = (CliRunner().invoke(cli, words, env={"COLUMNS": "300"}).output for _ in range(2))
    assert "; before: int8 passed on a processor with" in first
    assert "before:" not in second
    assert Artifact.load(made.path).manifest.evidence[0].instruction_sets == instruction_sets()


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
    assert others_for(root, ("onnxruntime",), "gpu") == ("onnxruntime",), "its answers on the CPU are the reference"
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
    # Two equal nets: whichever is quicker, the smaller is recommended where they are tied.
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
