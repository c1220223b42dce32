"""What each command prints: tables for people, JSON for machines, and the exit code."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tests.conftest import Trained
from tests.tiny import FEATURES, tiny_artifact, tiny_samples, with_parity
from toolkit.cli import toolkit
from toolkit.cli._common import evidence_line
from toolkit.core import (
    MANIFEST,
    Artifact,
    Bundle,
    DataError,
    DeviceError,
    EngineError,
    InputError,
    Precision,
    ToolkitError,
    UnknownNameError,
    Verdict,
)


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def call(*words: str | Path, code: int = 0) -> Result:
    result = CliRunner().invoke(toolkit, [str(word) for word in words])
    assert result.exit_code == code, result.output + repr(result.exception)
    return result


def assert_refused(*words: str | Path) -> ToolkitError:
    """The error that `main` prints as one line with exit code 2."""
    result = CliRunner().invoke(toolkit, [str(word) for word in words])
    assert isinstance(result.exception, ToolkitError), result.output
    assert len(str(result.exception).splitlines()) == 1
    return result.exception


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A bundle of two artifacts that passed, and samples beside it."""
    root = tiny_artifact(tmp_path / "net")
    manifest = root.path / MANIFEST
    manifest.write_text(manifest.read_text().replace('"root": "trained"', '"root": ""'))
    with_parity(Artifact.load(root.path))
    half = tiny_artifact(tmp_path / "net", Precision.FP16)
    manifest = half.path / MANIFEST
    manifest.write_text(manifest.read_text().replace('"root": "trained"', f'"root": "{root.manifest.content_sha256}"'))
    with_parity(Artifact.load(half.path))
    tiny_samples(40).save(tmp_path / "s.npz")
    np.save(tmp_path / "x.npy", tiny_samples(3).inputs["x"])
    return tmp_path


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        (["models"], {"name", "summary", "paper", "results"}),
        (["data"], {"name", "here", "input", "labels", "summary"}),
        (["formats"], {"format", "precision", "path", "engines"}),
        (["recipes"], {"recipe", "formats"}),
    ],
)
def test_lists(words: list[str], keys: set[str], tmp_path: Path) -> None:
    table = call(*words)
    assert max(map(len, table.output.splitlines())) <= 80
    rows = json.loads(call(*words, "--json").stdout)
    assert {frozenset(row) for row in rows} == {frozenset(keys)}
    file = tmp_path / "rows.json"
    assert call(*words, "--json", file).output == table.output, "with a file the table is printed too"
    assert json.loads(file.read_text()) == rows


def test_a_data_set_by_name() -> None:
    assert "1000 training and 797 test samples" in " ".join(call("data", "digits").output.split())
    assert json.loads(call("data", "digits", "--json").stdout) == {"name": "digits", "train": 1000, "test": 797}
    assert isinstance(assert_refused("data", "digitz"), UnknownNameError)


def test_a_recipe_is_printed_to_be_saved() -> None:
    text = call("recipes", "int8-percentile").output
    assert tomllib.loads(text) == {
        "name": "int8-percentile",
        "precision": "int8",
        "about": "ranges of 99.99 % of the values",
        "ranges": "percentile",
        "percentile": 99.99,
    }
    assert json.loads(call("recipes", "int8-percentile", "--json").stdout) == [
        {"recipe": tomllib.loads(text), "formats": ["onnx", "openvino"]}
    ]
    schema = json.loads(call("recipes", "--schema").stdout)
    assert schema["$defs"]["NamedRecipe"]["required"] == ["name", "precision"]


def test_recipes_take_the_place_of_the_default_precisions(trained_cnn: Trained, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('name = "int8-mine"\nprecision = "int8"\nper_channel = false\n')
    words = ("convert", trained_cnn.bundle, "--to", "onnx", "--out", tmp_path, "--max-drop", "20", "--json", "-")

    def made(*more: str | Path) -> list[str]:
        return [row["target"] for row in json.loads(call(*words, *more).stdout)]

    own = tmp_path / "mine.toml"
    assert made("--recipe", own) == ["onnx-int8-mine"]
    assert made("--recipe", f"int8,{own}") == ["onnx-int8", "onnx-int8-mine"]
    assert made("--precision", "fp32,int8", "--recipe", f"int8,{own}") == ["onnx-fp32", "onnx-int8", "onnx-int8-mine"]
    text = call("convert", trained_cnn.bundle, "--to", "tflite", "--out", tmp_path, "--recipe", "int8-entropy", code=1).output
    assert "not made: tflite-int8 cannot do ranges = entropy: expected ranges = minmax" in " ".join(text.split())


def test_training_and_conversion_as_json(trained_cnn: Trained) -> None:
    assert len(trained_cnn.train["metrics"]) > 1
    assert trained_cnn.train["artifact"]["manifest"]["format"] == "pt2"
    assert {row["target"] for row in trained_cnn.convert} >= {"onnx-fp32", "tflite-int8", "openvino-int8"}


@pytest.mark.slow
def test_quantization_aware_training_into_every_format(tmp_path: Path) -> None:
    words: list[str | Path] = ["cnn", "--epochs", "3", "--learning-rate", "0.01", "--out", tmp_path]
    call("train", *words)
    file = tmp_path / "train.json"
    text = call("train", *words, "--qat", "2", "--resume", "--json", file).output
    assert "best of 2 quantization-aware epochs" in " ".join(text.split())
    trained = json.loads(file.read_text())
    assert (len(trained["metrics"]), len(trained["qat_metrics"]), trained["resumed_epochs"]) == (3, 2, 3)
    targets = {f"{format}-int8" for format in ("onnx", "openvino", "tflite")}
    rows = call("convert", tmp_path / "cnn", "--precision", "int8", "--max-drop", "5", "--evaluation", "200", "--json", "-").stdout
    assert {row["target"] for row in json.loads(rows)} == targets
    for target in targets:
        assert "learned with int8 rounding: 2 epochs" in call("inspect", tmp_path / "cnn" / target).output


def test_what_is_trained_is_not_replaced_unless_asked(tiny: Path) -> None:
    shutil.copytree(Path(__file__).parents[1] / "data" / "0.1.0" / "perceptron", tiny / "cnn")
    error = assert_refused("train", "cnn", "--epochs", "1", "--out", tiny)
    assert "go on with it: --resume; replace it: --overwrite" in str(error)
    error = assert_refused("demo", "--data", "fashion-mnist", "--out", tiny)
    assert "holds a network of other data: expected fashion-mnist, got digits; replace it: --overwrite" in str(error)
    other = tiny_artifact(tiny / "out" / "tiny", seed=1)
    words = ("convert", tiny / "net", "--data", tiny / "s.npz", "--to", "onnx", "--precision", "fp32", "--out", tiny / "out")
    assert "replace it: --overwrite" in str(assert_refused(*words))
    assert Artifact.load(other.path) == other
    call(*words, "--overwrite")


def test_quantization_aware_training_is_refused(tmp_path: Path) -> None:
    error = assert_refused("train", "lstm", "--qat", "1", "--out", tmp_path / "out")
    assert "got 'layer.weight_ih_l0'; train it without --qat" in str(error)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("words", [("inspect",), ("evaluate", "--data", "s.npz"), ("export", "c", "--out", "c")])
def test_where_an_artifact_is_expected_a_bundle_lists_its_own(tiny: Path, words: tuple[str, ...]) -> None:
    assert "got a bundle: name one of its artifacts, onnx-fp16, onnx-fp32" in str(assert_refused(*words, tiny / "net"))


def test_inspect(tiny: Path, trained_cnn: Trained) -> None:
    artifact = trained_cnn.bundle / "tflite-int8"
    text = call("inspect", artifact).output
    assert "calibrated on: 512 samples of digits/train" in text
    assert "made by: tflite_int8" in " ".join(text.split())
    assert "Evidence" in text
    about = json.loads(call("inspect", artifact, "--json").stdout)
    assert about["precision"] == "int8"
    assert about["operators"]["quantized"] > 0
    bare = json.loads(call("inspect", tiny / "net" / "onnx-fp32" / "model.onnx", "--json").stdout)
    assert bare["signature"]["inputs"][0] == {"name": "x", "dtype": "float32", "shape": ["batch", FEATURES], "layout": ""}
    assert "evidence: none; run: toolkit verify" in call("inspect", tiny / "net" / "onnx-fp32" / "model.onnx").output
    assert "is not an artifact folder (manifest.json not found)" in str(assert_refused("inspect", tiny / "net"))


def test_run(tiny: Path) -> None:
    model, x = tiny / "net" / "onnx-fp32", tiny / "x.npy"
    by_name = call("run", model, "--input", f"x={x}", "--output", tiny / "y.npz", "--json")
    logits = np.load(tiny / "y.npz")["logits"]
    assert logits.shape == (3, 10)
    np.testing.assert_allclose(json.loads(by_name.output)["logits"], logits, rtol=1e-6)
    assert json.loads(call("run", model, "--input", x, "--json").stdout) == json.loads(by_name.stdout)
    text = call("run", tiny / "net", "--input", x, "--threads", "1", "--engine", "onnxruntime").output
    assert "onnxruntime" in text
    assert re.search(r", cpu, (fp16 weights, computed in )?fp32, 1 threads", text), "whichever the bundle's quick benchmark recommends"
    bare = call("run", model / "model.onnx", "--input", x, "--threads", "1").output
    assert ", cpu, fp32 (the file does not say what it stores), 1 threads" in " ".join(bare.split())
    assert f"{logits.argmax(axis=1)[0]}, " in text


def test_verify_skips_what_the_engines_asked_for_do_not_run(trained_cnn: Trained, tmp_path: Path) -> None:
    bundle = tmp_path / "cnn"
    for name in ("pt2-fp32", "onnx-fp32", "tflite-fp32"):
        shutil.copytree(trained_cnn.bundle / name, bundle / name)
    before = (bundle / "tflite-fp32" / MANIFEST).read_bytes()
    found: dict[str, Any] = json.loads(call("verify", bundle, "--engine", "onnxruntime", "--evaluation", "50", "--json").stdout)
    assert [report["verdict"] for report in found["onnx-fp32"]] == ["passed"]
    assert "no installed engine of those asked for runs tflite-fp32" in found["tflite-fp32"]
    assert (bundle / "tflite-fp32" / MANIFEST).read_bytes() == before
    assert "nothing to verify" in str(assert_refused("verify", bundle, "--engine", "torch"))
    table = call("verify", bundle, "--engine", "onnxruntime", "--evaluation", "50").stdout
    assert max(map(len, table.splitlines())) <= 80


def test_the_trained_model_is_proved_in_other_engines_than_its_own(tiny: Path) -> None:
    words = ("verify", tiny / "net", "--data", tiny / "s.npz", "--json")
    assert list(json.loads(call(*words).stdout)) == ["samples", "onnx-fp16"]
    assert list(json.loads(call(*words, "--engine", "onnxruntime").stdout)) == ["samples", "onnx-fp16"]
    found = json.loads(call(*words, "--engine", "openvino").stdout)
    assert [(report["engine"], report["verdict"]) for report in found["onnx-fp32"]] == [("openvino", "passed")]
    measured = ("benchmark", tiny / "net", "--data", tiny / "s.npz", "--rounds", "1", "--seconds", "0.01", "--threads", "1", "--json")
    settings = [m["setting"] for m in json.loads(call(*measured).stdout)["measurements"]]
    assert [s["engine"] for s in settings if s["artifact"] == "onnx-fp32"] == ["onnxruntime", "openvino"]


def test_a_failed_check_is_exit_code_1(tiny: Path) -> None:
    bundle = tiny / "net"
    shutil.rmtree(bundle / "onnx-fp16")
    other = tiny_artifact(bundle, Precision.FP16, seed=9)
    manifest = other.path / MANIFEST
    root = Artifact.load(bundle / "onnx-fp32").manifest.content_sha256
    manifest.write_text(manifest.read_text().replace('"root": "trained"', f'"root": "{root}"'))
    result = call("verify", bundle, "--data", tiny / "s.npz", code=1)
    assert "failed" in result.output
    assert "expected at least 40 dB" in " ".join(result.output.split())


def test_what_another_training_left_is_a_row_that_failed(tiny: Path) -> None:
    bundle, samples = tiny / "net", ("--data", tiny / "s.npz")
    left = tiny_artifact(bundle, Precision.INT8, seed=9)
    quick = ("--rounds", "1", "--seconds", "0.01", "--threads", "1")
    told = "made from another network than the bundle's trained model; run: toolkit convert"
    rows = " ".join(call("verify", bundle, *samples, code=1).output.split())
    assert "onnx-int8 - failed made from another network" in rows
    assert "onnx-fp16 onnxruntime passed" in rows
    assert json.loads(call("verify", bundle, *samples, "--json", code=1).stdout)["onnx-int8"] == told
    assert json.loads(call("verify", left.path, *samples, "--json", code=1).stdout)["onnx-int8"] == told
    report = json.loads(call("benchmark", bundle, *samples, *quick, "--json", code=1).stdout)
    assert {m["setting"]["artifact"]: m["reason"] for m in report["measurements"]}["onnx-int8"] == told
    assert told in str(assert_refused("bundle", bundle, *samples, "--artifact", "onnx-int8", "--out", tiny / "net.zip"))
    shutil.rmtree(bundle / "onnx-fp16")
    assert "onnx-int8 - failed" in " ".join(call("verify", bundle, *samples, code=1).output.split())
    call("benchmark", bundle, *samples, *quick, code=1)


def test_nothing_to_do_is_no_success(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle, samples = tiny / "net", ("--data", tiny / "s.npz")
    quick = ("--rounds", "1", "--seconds", "0.01", "--threads", "1")
    monkeypatch.chdir(tiny)
    call("bundle", "net", *samples)
    call("check", "net.zip", *quick, "--engine", "litert", code=1)
    assert "nothing could be measured" in str(assert_refused("benchmark", bundle, *samples, *quick, "--engine", "litert"))
    shutil.rmtree(bundle / "onnx-fp16")
    assert "holds nothing to verify: expected artifacts beside the trained model" in str(assert_refused("verify", bundle, *samples))
    shutil.rmtree(bundle / "onnx-fp32")
    for command in ("verify", "benchmark", "quantize", "convert", "optimize", "bundle"):
        assert "holds no artifact" in str(assert_refused(command, bundle, *samples))


def test_benchmark(tiny: Path) -> None:
    words = ("--data", tiny / "s.npz", "--rounds", "1", "--seconds", "0.01", "--threads", "1")
    report = json.loads(call("benchmark", tiny / "net", *words, "--json").stdout)
    assert [m["setting"]["artifact"] for m in report["measurements"]] == ["onnx-fp16", "onnx-fp32"]
    assert json.loads((tiny / "net" / "benchmark.json").read_text())["shipped"] is None
    call("benchmark", tiny / "net", *words, "--prefer", "latency")
    kept = json.loads((tiny / "net" / "benchmark.json").read_text())
    assert kept["shipped"]["artifact"] in {"onnx-fp16", "onnx-fp32"}, "toolkit.load follows the preference"
    broken = tiny_artifact(tiny / "net", Precision.INT8)
    manifest = broken.path / MANIFEST
    root = Artifact.load(tiny / "net" / "onnx-fp32").manifest.content_sha256
    manifest.write_text(manifest.read_text().replace('"root": "trained"', f'"root": "{root}"'))
    broken.model_file.write_bytes(b"cut")
    text = call("benchmark", tiny / "net", *words).output
    assert "is not the file its manifest describes" in " ".join(text.split())
    assert "Ship " in text


@pytest.mark.parametrize(
    ("words", "kind", "message"),
    [
        (["verify", "{net}", "--device", "gpuu", "--data", "{s}"], UnknownNameError, "unknown device 'gpuu'"),
        (["verify", "{net}", "--engine", "onnx", "--data", "{s}"], UnknownNameError, "did you mean 'onnxruntime'"),
        (["verify", "{net}/onnx-fp32", "--engine", "litert", "--data", "{s}"], InputError, "no installed engine of those asked for"),
        (["verify", "{net}", "--engine", "litert", "--data", "{s}"], InputError, "runs onnx-fp16"),
        (["benchmark", "{net}", "--engine", "litter", "--data", "{s}"], UnknownNameError, "did you mean 'litert'"),
        (["benchmark", "{net}", "--device", "cpuu", "--data", "{s}"], UnknownNameError, "did you mean 'cpu'"),
        (["benchmark", "{net}", "--device", "npu", "--data", "{s}"], EngineError, "has no device 'npu' here"),
        (["run", "{net}", "--input", "{x}", "--engine", "tensorflo"], UnknownNameError, "did you mean 'tensorflow'"),
        (["run", "{net}", "--input", "{x}", "--device", "npu"], DeviceError, "this machine has no device 'npu'"),
        (["run", "{net}", "--input", "{net}/none.npy"], DataError, "expected a .npz or .npy file"),
        (["run", "{net}/onnx-fp32", "--input", "y={x}"], InputError, "expected x, got y"),
    ],
)
def test_bad_input(tiny: Path, words: list[str], kind: type[ToolkitError], message: str) -> None:
    error = assert_refused(*(word.format(net=tiny / "net", s=tiny / "s.npz", x=tiny / "x.npy") for word in words))
    assert isinstance(error, kind)
    assert message in str(error)


def test_bundle_check_and_report(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tiny)
    told = call("bundle", "net", "--data", "s.npz", "--samples", "20")
    assert "net.zip: onnx-fp16; 20 samples" in told.output
    assert "toolkit check net.zip" in told.output
    quick = ("--engine", "onnxruntime", "--threads", "1", "--rounds", "1", "--seconds", "0.01")
    told = call("check", "net.zip", *quick, "--out", "a.json")
    assert "Ship onnx-fp16 with onnxruntime" in " ".join(told.output.split())
    call("check", "net.zip", *quick, "--out", "b.json", "--json")
    told = call("report", "a.json", "b.json", "--html", "page.html")
    assert "device 2 is" in told.output
    assert "<h1>tiny on 2 devices</h1>" in (tiny / "page.html").read_text()
    found = json.loads(call("report", "a.json", "b.json", "--json").stdout)
    assert [len(line["cells"]) for line in found["lines"]] == [2]
    assert_refused("check", "s.npz")
    assert_refused("report", "a.json", "s.npz")
    hostile = (tiny / "a.json").read_text().replace('"tiny"', '"ti\\u001b[2Jny"').replace('"onnxruntime"', '"onnx\\u001b[31mruntime"')
    (tiny / "a.json").write_text(hostile)
    told = call("report", "a.json")
    assert "\x1b" not in told.output
    assert "ti\\x1b[2Jny" in told.output
    assert "onnx\\x1b[31mruntime" in told.output
    assert_refused("bundle", "nowhere")


def test_evidence_says_what_an_artifact_was_compared_with(tiny: Path) -> None:
    bundle = Bundle.load(tiny / "net")
    root, half = (next(each for each in bundle if each.name == name) for name in ("onnx-fp32", "onnx-fp16"))
    (report,) = half.manifest.evidence
    known = (root.manifest.content_sha256, "0123456789abcdef")
    half.with_evidence(tuple(replace(report, edge="made", reference=reference) for reference in known))
    rows = [line.split() for line in call("inspect", half.path).output.partition("Evidence")[2].splitlines()]
    compared = [row[1:3] for row in rows if row[:1] == ["made"]]
    assert compared == [["onnx-fp32", "onnxruntime"], ["01234567…", "onnxruntime"]]
    shutil.copytree(half.path, tiny / "alone")
    assert " the trained model " in " ".join(call("inspect", tiny / "alone").output.split())


def test_inspect_prints_no_control_characters_of_a_manifest(tiny: Path) -> None:
    root = Artifact.load(tiny / "net" / "onnx-fp32")
    reports = tuple(replace(report, edge="a\x1b[2Jb", engine="c\x1b[2Jd") for report in root.manifest.evidence)
    (root.path / MANIFEST).write_bytes(replace(root.manifest, edge="e\x1b[2Jf", evidence=reports).to_json())
    assert "\x1b" not in call("inspect", root.path).output


def test_how_samples_are_divided_is_said_before_the_work_and_in_json(tiny: Path) -> None:
    np.savez(tiny / "y.npz", x=tiny_samples(40).inputs["x"].astype(np.float64), y=np.arange(40) % 10)
    words = ("convert", tiny / "net", "--to", "onnx", "--precision", "fp32", "--json")
    done = call(*words, "--data", tiny / "y.npz")
    assert done.stderr.splitlines() == [
        "samples of y.npz: 8 calibrate, 32 verify by accuracy",
        "samples: 'y' holds the targets",
        "samples: input 'x' was cast from float64 to float32",
    ]
    (row,) = json.loads(done.stdout)
    plan = row["samples"]
    assert (plan["calibration"], plan["choice"], plan["evaluation"], plan["metric"], plan["max_drop"]) == (8, 0, 32, "accuracy", None)
    done = call("verify", tiny / "net", "--data", tiny / "s.npz", "--json")
    assert done.stderr.splitlines() == ["samples of s.npz: 40 verify by top-1 agreement"], "it calibrated nothing"
    assert json.loads(done.stdout)["samples"]["evaluation"] == 40
    done = call("verify", tiny / "net", "--data", tiny / "y.npz", "--json")
    assert done.stderr.splitlines()[0] == "samples of y.npz: 32 verify by accuracy"
    assert done.stderr.splitlines()[-1] == "samples: 8 more of y.npz calibrate in this bundle, and judge nothing"


def test_a_narrow_benchmark_shows_the_accuracy_that_is_undecided(tiny: Path) -> None:
    for name in ("onnx-fp16", "onnx-fp32"):  # Their files are the same.
        made = Artifact.load(tiny / "net" / name)
        with_parity(replace(made, manifest=replace(made.manifest, evidence=())), Verdict.UNDECIDED)
    words = ("--data", tiny / "s.npz", "--rounds", "1", "--seconds", "0.01", "--threads", "1", "--engine", "onnxruntime")
    text = " ".join(call("benchmark", tiny / "net", *words).stdout.split())
    assert "89.90 % ?" in text
    assert "?: undecided, the samples are too few to confirm the limit" in text


@pytest.mark.parametrize(("verdict", "said"), [("undecided", True), ("failed", True), ("passed", False)])
def test_evidence_shows_the_metric_itself_where_it_did_not_pass(tmp_path: Path, verdict: str, said: bool) -> None:
    made = with_parity(tiny_artifact(tmp_path / "net"), Verdict(verdict))
    assert evidence_line(made) == f"{'accuracy 89.90 %, reference 90.00 %; ' * said}drop 0.1"
