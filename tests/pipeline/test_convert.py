"""Many targets from one model: what is shared runs once, what fails is a row, what is known comes out of the cache."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import toolkit
from tests.conftest import Trained
from tests.tiny import as_trained, tiny_artifact, tiny_samples
from toolkit.converters.base import Node
from toolkit.converters.planner import plan
from toolkit.converters.recipes import NamedRecipe, Ranges
from toolkit.core import (
    MANIFEST,
    Artifact,
    Bundle,
    Format,
    InputError,
    MissingDependencyError,
    Precision,
    UnknownNameError,
    Verdict,
    has_module,
)
from toolkit.pipeline.benchmark import plan_settings
from toolkit.pipeline.convert import Request, Row, check_kept, convert, nodes, succeeded
from toolkit.pipeline.source.samples import Split, split_samples
from toolkit.pipeline.verify import engines_for
from toolkit.runtimes import Runtime, find_runtime, open_session


def request(trained_cnn: Trained, out: Path, *names: str, calibration: int = 512, timeout_s: float = 600.0) -> Request:
    source = Artifact.load(trained_cnn.bundle / "pt2-fp32")
    targets = tuple(nodes([format], [precision])[0] for format, _, precision in (name.partition("-") for name in names))
    split = split_samples(source, None, calibration=calibration)
    return Request(source, targets, out / "cnn", split, timeout_s=timeout_s)


def leftovers(bundle: Path) -> list[str]:
    """Whatever is neither a complete artifact nor the logs."""
    return [f.name for f in bundle.iterdir() if f.is_dir() and f.name not in {"logs", "training"} and not (f / MANIFEST).is_file()]


def by_recipes(asked: Request, formats: list[str], *recipes: NamedRecipe) -> Request:
    return replace(asked, targets=nodes(formats, (), recipes), recipes=recipes)


def test_a_recipe_makes_an_artifact_of_its_own_name(trained_cnn: Trained, tmp_path: Path) -> None:
    tight = NamedRecipe(name="int8-tight", precision=Precision.INT8, ranges=Ranges.PERCENTILE, percentile=99.9, keep_float=("node_linear",))
    wide = NamedRecipe(name="int8-wide", precision=Precision.INT8, ranges=Ranges.ENTROPY)
    again = NamedRecipe(name="int8-same", precision=Precision.INT8, ranges=Ranges.ENTROPY)
    rows = convert(by_recipes(request(trained_cnn, tmp_path), ["onnx", "tflite"], tight, wide, again))
    made = {row.target: row.artifact for row in rows if row.artifact}
    assert list(made) == ["onnx-int8-tight", "onnx-int8-wide", "onnx-int8-same"]
    assert [artifact.name for artifact in Bundle.load(tmp_path / "cnn")] == [*sorted(made), "pt2-fp32"]
    assert (
        made["onnx-int8-tight"].manifest.recipe.items() >= {"ranges": "percentile", "percentile": 99.9, "keep_float": "node_linear"}.items()
    )
    hashes = [artifact.manifest.content_sha256 for artifact in made.values()]
    default = Artifact.load(trained_cnn.bundle / "onnx-int8")
    assert len({default.manifest.content_sha256, *hashes}) == 3, "the name alone changes nothing"
    assert made["onnx-int8-same"].manifest.variant == "same"
    assert default.manifest.variant == ""
    assert all(artifact.verdict for artifact in made.values())
    refused = [row for row in rows if not row.available]
    assert [row.target for row in refused] == ["tflite-int8-tight", "tflite-int8-wide", "tflite-int8-same"]
    assert "tflite-int8 cannot do ranges = percentile: expected ranges = minmax" in refused[0].reason
    assert succeeded(rows), "the other format can"
    assert not succeeded(refused)
    with toolkit.load(tmp_path / "cnn", unverified=True) as session:
        assert session.run(np.zeros((1, 1, 8, 8), np.float32))["logits"].shape == (1, 10)


def tiny_request(source: Artifact, out: Path) -> Request:
    return Request(source, (), out, Split(tiny_samples(8), tiny_samples(8)))


def changed(artifact: Artifact, **changes: Any) -> Artifact:
    """The artifact with these fields in its manifest."""
    manifest = replace(artifact.manifest, **changes)
    (artifact.path / MANIFEST).write_bytes(manifest.to_json())
    return Artifact(artifact.path, manifest)


def test_a_copy_does_not_take_the_place_of_another_training(tmp_path: Path) -> None:
    mine, other = (changed(tiny_artifact(tmp_path / name, seed=seed), root="") for seed, name in enumerate(("mine", "other")))
    asked = tiny_request(mine, other.path.parent)
    with pytest.raises(
        InputError, match=r"'.*other/onnx-fp32' holds another trained model, which would be lost; .* replace it: --overwrite"
    ):
        convert(asked)
    assert [*other.path.parent.iterdir()] == [other.path]
    assert Artifact.load(other.path) == other
    assert convert(replace(asked, overwrite=True)) == []
    assert Artifact.load(other.path).manifest == mine.manifest
    assert convert(asked) == [], "the same one is no other"


def test_chosen_layers_are_not_replaced_by_plain_int8(tmp_path: Path) -> None:
    root = changed(tiny_artifact(tmp_path), root="")
    made = tiny_artifact(tmp_path, Precision.INT8)
    asked = replace(tiny_request(root, tmp_path), targets=nodes(["onnx"], ["int8", "fp32"]))
    changed(made, root=root.manifest.content_sha256)
    check_kept(asked)
    changed(made, root=root.manifest.content_sha256, recipe={"keep_float": "first"})
    with pytest.raises(InputError, match=r"onnx-int8' has layers in float that toolkit quantize chose, .* replace it: --overwrite"):
        check_kept(asked)
    check_kept(replace(asked, overwrite=True))
    check_kept(replace(asked, targets=nodes(["onnx"], ["fp32"])))
    changed(made, root="an earlier training", recipe={"keep_float": "first"})
    check_kept(asked)


def test_the_rows_say_how_each_was_made(trained_cnn: Trained) -> None:
    asked = [f"{format}-{precision}" for format in ("onnx", "tflite", "openvino") for precision in ("fp32", "fp16", "bf16", "int8")]
    assert [row["target"] for row in trained_cnn.convert] == asked
    rows = {row["target"]: row for row in trained_cnn.convert if row["available"]}
    assert set(asked) - set(rows) == {"onnx-bf16", "tflite-bf16"}
    edges = {name: row["artifact"]["manifest"]["edge"] for name, row in rows.items()}
    assert (edges["onnx-fp32"], edges["openvino-fp32"], edges["tflite-fp32"]) == ("onnx_from_pt2", "openvino_from_onnx", "tflite_from_pt2")
    root = Artifact.load(trained_cnn.bundle / "pt2-fp32").manifest.content_sha256
    assert {row["artifact"]["manifest"]["root"] for row in rows.values()} == {root}
    assert leftovers(trained_cnn.bundle) == []


def test_the_second_time_nothing_is_converted_and_torch_is_not_imported(trained_cnn: Trained, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom toolkit.cli import toolkit\n"
        "toolkit.main(sys.argv[1:], standalone_mode=False)\n"
        "loaded = {'torch', 'onnx', 'tensorflow', 'ai_edge_litert', 'nncf', 'sklearn'} & set(sys.modules)\n"
        "print(sorted(loaded), file=sys.stderr)"
    )
    words = ("convert", trained_cnn.bundle, "--precision", "fp32,int8", "--out", tmp_path, "--json", "-")
    result = subprocess.run([sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, check=False)
    assert result.stderr.splitlines()[-1] == "[]"
    rows = json.loads(result.stdout)
    assert [row["from_cache"] for row in rows] == [True] * 6
    for row in rows:
        first = Artifact.load(trained_cnn.bundle / row["target"])
        assert Artifact.load(tmp_path / "cnn" / row["target"]).manifest == first.manifest


def test_other_calibration_samples_make_int8_anew_and_nothing_else(trained_cnn: Trained, tmp_path: Path) -> None:
    events: list[tuple[str, str]] = []
    wanted = request(trained_cnn, tmp_path, "onnx-int8", "onnx-bf16", calibration=100)
    rows = convert(wanted, on_progress=lambda name, event: events.append((name, event)))
    assert events[:2] == [("onnx-fp32", "cached"), ("onnx-int8", "converted")]
    made, missing = rows
    assert made.artifact is not None
    assert made.artifact.manifest.calibration is not None
    assert made.artifact.manifest.calibration.samples <= 100
    assert made.artifact.verdict is not None
    # What was a step only is not in the bundle, and what the format does not have is a row without a failure of its own.
    assert sorted(f.name for f in (tmp_path / "cnn").iterdir()) == ["logs", "onnx-int8", "pt2-fp32"]
    assert (missing.available, missing.artifact) == (False, None)
    assert "onnx has no bf16 converter" in missing.reason
    assert not succeeded(rows), "no requested format has bf16"


def test_one_target_that_fails_does_not_stop_the_others(trained_cnn: Trained, tmp_path: Path) -> None:
    """Every conversion not in the cache runs out of time; those that are cached arrive."""
    wanted = request(trained_cnn, tmp_path, "tflite-int8-weights", "onnx-fp32", "tflite-fp32", timeout_s=0.05)
    rows = convert(wanted)
    assert [row.target for row in rows] == ["tflite-int8-weights", "onnx-fp32", "tflite-fp32"]
    assert rows[0].reason == "convert task took longer than 0.05 s and was stopped"
    assert [row.passed for row in rows] == [False, True, True]
    assert not succeeded(rows)
    assert leftovers(tmp_path / "cnn") == []
    assert not (tmp_path / "cnn" / "tflite-int8-weights").exists()


def test_ctrl_c_stops_the_running_steps_and_the_next_run_goes_on(trained_cnn: Trained, tmp_path: Path) -> None:
    def on_progress(name: str, event: str) -> None:
        if (name, event) == ("onnx-fp32", "cached"):
            os.kill(os.getpid(), signal.SIGINT)

    # Other batch sizes than any in the cache: several seconds of conversion, which begin together with the other target.
    wanted = replace(request(trained_cnn, tmp_path, "tflite-fp32", "onnx-fp32"), batch_sizes=(1, 5))
    with pytest.raises(KeyboardInterrupt):
        convert(wanted, on_progress=on_progress)
    assert leftovers(tmp_path / "cnn") == []
    assert not (tmp_path / "cnn" / "tflite-fp32").exists()
    assert succeeded(convert(replace(wanted, batch_sizes=(1, 32))))
    assert leftovers(tmp_path / "cnn") == []


def test_ctrl_c_while_targets_are_planned_stops_the_steps_that_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    source = as_trained(tiny_artifact(tmp_path / "net"))

    def interrupted(start: Node, target: Node) -> Any:
        if target.format is Format.ONNX:
            raise KeyboardInterrupt
        return plan(start, target)

    monkeypatch.setattr("toolkit.pipeline.convert.plan", interrupted)
    with pytest.raises(KeyboardInterrupt):
        convert(replace(tiny_request(source, tmp_path / "net"), targets=nodes(["tflite", "onnx"], ["fp16"])))
    assert leftovers(tmp_path / "net") == []
    assert not (tmp_path / "net" / "tflite-fp16").exists()


def test_a_bundle_is_replaced_by_a_new_training(trained_cnn: Trained, tmp_path: Path) -> None:
    home = tmp_path / "cnn" / "pt2-fp32"
    shutil.copytree(trained_cnn.bundle / "pt2-fp32", home)
    (home / MANIFEST).write_text("an earlier one")
    (row,) = convert(request(trained_cnn, tmp_path, "onnx-fp32"))
    assert row.passed
    assert Artifact.load(home).manifest == Artifact.load(trained_cnn.bundle / "pt2-fp32").manifest


def test_a_precision_counts_when_some_requested_format_has_it(trained_cnn: Trained) -> None:
    good = Artifact.load(trained_cnn.bundle / "onnx-fp32")
    assert good.verdict is Verdict.PASSED
    made, missing = Row("onnx-fp32", good), Row("tflite-fp32", None, available=False)
    assert succeeded([made, missing])
    assert not succeeded([missing])
    assert not succeeded([made, replace(missing, available=True)])
    unverified = Row("onnx-fp32", replace(good, manifest=replace(good.manifest, evidence=())))
    assert not succeeded([unverified])


def test_unknown_names() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown format 'onx'.*did you mean 'onnx'"):
        nodes(["onx"], ["fp32"])
    with pytest.raises(UnknownNameError, match=r"unknown precision 'int9'.*did you mean 'int8'"):
        nodes(["onnx"], ["int9"])
    assert [str(node) for node in nodes(["onnx", "tflite"], ["fp32", "int8"])] == ["onnx-fp32", "onnx-int8", "tflite-fp32", "tflite-int8"]


def test_what_this_processor_does_not_compute_in_is_made_and_its_parity_not_measured(
    trained_cnn: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(find_runtime("openvino")), "precisions", Runtime.precisions)  # As on a processor without bf16.
    rows = convert(request(trained_cnn, tmp_path, "openvino-fp32", "openvino-bf16"))
    assert [(row.measurable, row.passed) for row in rows] == [(True, True), (False, False)]
    assert rows[1].reason == "openvino computes in bf16 only on a processor that does; there run: toolkit verify"
    assert rows[1].artifact is not None
    assert succeeded(rows), "nothing failed"
    with pytest.raises(InputError, match="no engine runs openvino-bf16 here: openvino computes in bf16 only"):
        engines_for(rows[1].artifact, None)
    assert [m.reason for m in plan_settings([rows[1].artifact]).skipped] == ["openvino computes in bf16 only on a processor that does"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "darwin", reason="Core ML runs here")
def test_an_artifact_for_another_system_is_made_and_its_parity_not_measured(trained_cnn: Trained, tmp_path: Path) -> None:
    if not has_module("coremltools"):
        pytest.skip("the extra [coreml] is not installed")
    rows = convert(request(trained_cnn, tmp_path, "coreml-fp32"))
    (row,) = rows
    assert row.artifact is not None
    assert (row.measurable, row.passed, row.artifact.verdict) == (False, False, None)
    assert row.reason == "coreml is for macOS only; there run: toolkit verify"
    assert succeeded(rows), "nothing failed"
    assert not succeeded([replace(row, artifact=None)])
    with pytest.raises(InputError, match="no engine runs coreml-fp32 here: coreml is for macOS only"):
        engines_for(row.artifact, None)
    with pytest.raises(MissingDependencyError, match=r"no engine runs coreml on \w+: coreml is for macOS only"):
        open_session(row.artifact)
    with pytest.raises(MissingDependencyError, match="engine 'coreml' is for macOS only"):
        open_session(row.artifact, engine="coreml")
    assert [m.reason for m in plan_settings([row.artifact]).skipped] == ["coreml is for macOS only"]
