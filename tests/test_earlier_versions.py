"""What version 0.1.0 wrote is still read: its bundle, benchmark, zip for another device, and checkpoint, in tests/data/0.1.0.

``expected.npz`` holds 20 test images of the digits and what torch's own loader and runtime answered to them.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import toolkit
from toolkit.core import MANIFEST, Artifact, Bundle, Format, Precision, Verdict
from toolkit.core.measurement import BENCHMARK, BenchmarkReport
from toolkit.pipeline.report import render_html, table_rows
from toolkit.pipeline.source.resolve import current, trained
from toolkit.runtimes import elsewhere, runtimes_for

OLD = Path(__file__).parent / "data" / "0.1.0"
BUNDLE = OLD / "perceptron"
NAMES = sorted(path.parent.name for path in BUNDLE.glob(f"*/{MANIFEST}"))
TOLERANCE = {Precision.FP32: 1e-4, Precision.FP16: 0.02, Precision.INT8: 0.5}  # of logits between -9 and 12


def run(*words: object, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "toolkit", *map(str, words)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", NAMES)
def test_an_artifact_gives_the_answers_of_its_time(name: str, tmp_path: Path) -> None:
    artifact = Artifact.load(BUNDLE / name)
    artifact.verify_files()
    format, precision = artifact.manifest.format, artifact.manifest.precision
    assert name.startswith(f"{format}-{precision}")
    if not runtimes_for(format, precision):
        pytest.skip(elsewhere(format, precision) or f"no engine for {format} is installed")
    expected = np.load(OLD / "expected.npz")
    np.save(tmp_path / "image.npy", expected["image"])
    done = run("run", artifact.path, "--input", tmp_path / "image.npy", "--output", tmp_path / "out.npz", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    logits = np.load(tmp_path / "out.npz")["logits"]
    if name == "openvino-int8":  # Its sums saturate where the processor has no VNNI.
        assert (logits.argmax(axis=1) == expected["logits"].argmax(axis=1)).mean() >= 0.9
    else:
        np.testing.assert_allclose(logits, expected["logits"], atol=TOLERANCE[precision], rtol=0)


def test_the_bundle_knows_its_trained_model_and_evidence() -> None:
    bundle = Bundle.load(BUNDLE)
    assert trained(bundle).path.name == "pt2-fp32"
    assert {artifact.path.name for artifact in current(bundle)} == set(NAMES) - {"pt2-fp32"}
    verdicts = {artifact.path.name: [report.verdict for report in artifact.manifest.evidence] for artifact in current(bundle)}
    assert set(verdicts.pop("openvino-int8")) == {Verdict.UNDECIDED}
    assert verdicts.pop("coreml-fp32") == []
    assert all(set(each) == {Verdict.PASSED} for each in verdicts.values())


def test_a_verdict_of_its_time_is_kept_with_the_rule_that_it_follows(tmp_path: Path) -> None:
    """0.1.0 said failed of every drop above the limit: that stands, by its own rule's text, until the artifact is verified again."""
    shutil.copytree(BUNDLE / "onnx-int8", tmp_path / "onnx-int8")
    file = tmp_path / "onnx-int8" / MANIFEST
    manifest = json.loads(file.read_text())
    for report in manifest["evidence"]:
        report["verdict"], report["reason"] = "failed", "accuracy drop +1.25 points [-1.26, +4.44], n=240"
        report["task"] |= {"drop": 1.25, "drop_low": -1.26, "drop_high": 4.44, "samples": 240}
    file.write_text(json.dumps(manifest))
    artifact = Artifact.load(file.parent)
    assert artifact.verdict is Verdict.FAILED
    assert {report.rule for report in artifact.manifest.evidence} == {"accuracy drop: 95 % upper bound at most 1 points"}


def test_an_app_loads_the_bundle(tmp_path: Path) -> None:
    expected = np.load(OLD / "expected.npz")
    with toolkit.load(BUNDLE, engine="onnxruntime") as session:
        np.testing.assert_allclose(session.run(expected["image"])["logits"], expected["logits"], atol=0.5)


def test_the_benchmark_is_read_and_drawn() -> None:
    report = BenchmarkReport.from_json((BUNDLE / BENCHMARK).read_bytes())
    assert {row.artifact for row in table_rows(report)} >= {"onnx-fp32", "tflite-int8"}
    assert "tflite-int8" in render_html(report)


def test_the_zip_is_checked(tmp_path: Path) -> None:
    done = run(
        "check", OLD / "perceptron.zip", "--engine", "onnxruntime,litert", "--rounds", 1, "--json", tmp_path / "check.json", folder=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "onnx-int8" in json.dumps(json.loads((tmp_path / "check.json").read_text()))


def test_a_training_is_resumed_from_its_checkpoint(tmp_path: Path) -> None:
    shutil.copytree(BUNDLE, tmp_path / "perceptron")
    words = ("train", "perceptron", "--data", "digits", "--epochs", 8, "--resume", "--out", tmp_path)
    done = run(*words, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "94.10%" in done.stdout
    epochs = [json.loads(line)["epoch"] for line in (tmp_path / "perceptron" / "training" / "metrics.jsonl").read_text().splitlines()]
    assert epochs == list(range(1, 9))


def test_every_format_that_0_1_0_wrote_is_here() -> None:
    found = {Artifact.load(BUNDLE / name).manifest.format for name in NAMES}
    assert found == {*Format} - {Format.KERAS, Format.SAVEDMODEL, Format.TORCHSCRIPT}  # Those are only ever copied.
