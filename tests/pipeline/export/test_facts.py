"""What is told of a model: the right report of several, numbers with their intervals, each limit once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.tiny import tiny_artifact, with_parity
from toolkit.core import Artifact, CalibrationRecord, Precision, SizeRange, TensorError
from toolkit.pipeline.export.facts import figures_of, limits_of, reports_of, sizes_of


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    return tiny_artifact(tmp_path / "net", Precision.INT8)


def test_the_comparison_with_the_trained_network_counts(artifact: Artifact) -> None:
    seen = with_parity(with_parity(artifact, reference="parent", drop=5.0), drop=0.2)
    seen = with_parity(seen, engine="openvino", reference="parent", drop=0.3)
    assert [(each.engine, each.reference, each.reason) for each in reports_of(seen)] == [
        ("onnxruntime", "trained", "drop 0.2"),
        ("openvino", "parent", "drop 0.3"),
    ]
    other = replace(seen.manifest, files={"model.onnx": "0" * 64})
    assert reports_of(replace(seen, manifest=other)) == (), "evidence about other files"


def test_figures_have_their_intervals(artifact: Artifact) -> None:
    (report,) = reports_of(with_parity(artifact, drop=0.5))
    output = TensorError("y", 0.1, 0.2, 30.0, 0.99, 0.9, within_tolerance=False, rows=100)
    metric, drop, error, ratio, agreement = figures_of(replace(report, outputs=(output,)))
    assert (metric.name, metric.value, metric.samples, metric.low) == ("accuracy", 0.895, 1000, None)
    assert (drop.name, drop.value, drop.low, drop.high) == ("accuracy drop, points", 0.5, 0.3, 0.7)
    assert (error.name, error.value, error.samples) == ("largest absolute error of 'y'", 0.1, 100)
    assert (ratio.name, ratio.value) == ("signal-to-quantization-noise ratio of 'y', dB", 30.0)
    assert (agreement.name, agreement.value) == ("top-1 agreement of 'y'", 0.9)
    assert agreement.low is not None
    assert agreement.high is not None
    assert 0.8 < agreement.low < 0.9 < agreement.high < 1.0
    assert report.task is not None
    error_rate = replace(report.task, name="word error rate", unit="dB", higher_is_better=False)
    assert [each.name for each in figures_of(replace(report, task=error_rate))] == ["word error rate, dB", "word error rate rise, dB"]


def test_a_limit_of_several_is_told_once(artifact: Artifact, tmp_path: Path) -> None:
    both = [with_parity(tiny_artifact(tmp_path / "net", precision)) for precision in (Precision.FP32, Precision.FP16)]
    assert limits_of(both) == ("onnx-fp32, onnx-fp16: verified in onnxruntime at batch sizes 1.",)
    (report,) = reports_of(with_parity(artifact))
    about = replace(
        artifact.manifest,
        calibration=CalibrationRecord("digits/train", 512, ""),
        evidence=(replace(report, instruction_sets=("avx2", "fma"), sizes=("h=32,w=320",)),),
    )
    assert limits_of([replace(artifact, manifest=about)]) == (
        "onnx-int8: has the ranges of 512 samples of digits/train; inputs beyond these ranges are cut off.",
        "onnx-int8: verified in onnxruntime at batch sizes 1, sizes h=32,w=320.",
        "onnx-int8: verified in onnxruntime on a processor with avx2, fma; integers may give other results on one with others.",
    )


def test_sizes_of_the_file(artifact: Artifact) -> None:
    assert sizes_of(artifact) == ""
    signature = replace(artifact.manifest.signature, sizes=({"h": 32}, {"h": 48}), ranges=(SizeRange("w", 32, 96, 32),))
    assert sizes_of(replace(artifact, manifest=replace(artifact.manifest, signature=signature))) == "h=32 or h=48; w=32:96:32"
