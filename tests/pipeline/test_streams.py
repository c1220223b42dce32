"""Verification over steps: each side keeps its own states, so that an error which adds up is seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import toolkit
from tests.streams import summing_net
from toolkit.cli import toolkit as command
from toolkit.core import Artifact, Bundle, InputError, Precision, Samples, Verdict
from toolkit.pipeline.streams import run_streams
from toolkit.runtimes import Actual
from toolkit.runtimes.parity import Observation, Steps, compare_streams

X = np.random.default_rng(0).uniform(-1, 1, (40, 2)).astype(np.float32)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With names that say nothing of states, so that only the manifest does."""
    folder = tmp_path_factory.mktemp("streams")
    net = summing_net(folder / "sums.onnx", memory="a", total="b")
    made = toolkit.convert(
        net, to=["tflite", "openvino"], precision=["fp32"], data={"x": X}, values={"a": 0}, states={"a": "b"}, out=folder / "out"
    )
    assert made
    return folder / "out" / "sums"


def test_every_format_keeps_which_outputs_are_states(bundle: Path) -> None:
    assert {artifact.name: artifact.manifest.signature.states for artifact in Bundle.load(bundle)} == {
        name: {"a": "b"} for name in ("onnx-fp32", "openvino-fp32", "tflite-fp32")
    }
    shown = CliRunner().invoke(command, ["inspect", str(bundle / "tflite-fp32")], catch_exceptions=False)
    assert "state a, next value b" in shown.output
    with toolkit.load(bundle / "tflite-fp32") as session:
        stream = session.stream()
        assert [float(stream.run(np.ones((1, 2), np.float32))["y"][0, 1]) for _ in range(3)] == [10, 20, 30]


def test_streams_that_stay_with_their_reference_pass(bundle: Path) -> None:
    done = CliRunner().invoke(command, ["verify", str(bundle), "--steps", "200"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "states: a = b" in done.output
    assert all(word in done.output for word in ("2-10", "11-100", "101-200", "tflite-fp32", "openvino-fp32"))
    found = toolkit.verify_streams(bundle, steps=3, engines=["openvino"], data={"x": X[:5]})
    assert [(name, each.passed, each.reports[0].steps) for name, each in found.items()] == [("openvino-fp32", True, 3)]


def test_what_is_compared_is_the_network_that_the_file_is(bundle: Path, tmp_path: Path) -> None:
    """Nine instead of ten in front of an answer, in a file whose states are right."""
    root = Artifact.load(bundle / "onnx-fp32")
    other = toolkit.convert(
        summing_net(tmp_path / "sums.onnx", memory="a", total="b", factor=9), to=["openvino"], precision=["fp32"], data={"x": X},
        values={"a": 0}, states={"a": "b"}, out=tmp_path,
    )  # fmt: skip
    assert other
    strange = Artifact.load(tmp_path / "sums" / "openvino-fp32")
    found = run_streams(
        root, [strange], Samples({"x": X}, None, "x").fit(root.manifest.signature), steps=20, engines={strange.name: ["openvino"]}
    )
    assert not found[strange.name].passed
    assert found[strange.name].reports[0].report.verdict is Verdict.FAILED


def test_an_error_that_adds_up_fails_though_the_first_steps_are_near(bundle: Path) -> None:
    """A bit too much in each step: 26 dB in the first one, nothing but noise in the thousandth."""
    artifact = Artifact.load(bundle / "openvino-fp32")
    artifact = replace(artifact, manifest=replace(artifact.manifest, precision=Precision.INT8_WEIGHTS, operators=None))
    given = (X - X.mean(axis=0))[np.arange(1000) % len(X)]
    sums, drifting = np.cumsum(given, axis=0), np.cumsum(given + np.float32(0.02), axis=0)
    actual = Actual("openvino", "0", "cpu", Precision.FP32, 1)

    def seen(total: np.ndarray) -> Observation:
        return Observation("", actual, {}, {"y": 10 * total, "b": total[:, None]})

    for steps, verdict in ((1, Verdict.PASSED), (1000, Verdict.FAILED)):
        report = compare_streams(
            artifact, seen(drifting[:steps]), seen(sums[:steps]), Samples({"x": X}, None, "x"), steps=Steps(steps, {"a": "b"})
        )
        assert report.report.verdict is verdict, report.report.reason
    assert [span.steps for span in report.spans] == ["1", "2-10", "11-100", "101-1000"]
    assert [span.max_abs for span in report.spans] == pytest.approx([0.2, 2, 20, 200], rel=1e-2)


def test_without_a_state_it_says_what_to_give(bundle: Path, tmp_path: Path) -> None:
    root = Artifact.load(bundle / "onnx-fp32")
    plain = replace(root, manifest=replace(root.manifest, signature=replace(root.manifest.signature, states={})))
    with pytest.raises(InputError, match=r"has no state that its names tell.*say it: --state h=h_out"):
        run_streams(plain, [], Samples({"x": X}, None, "x"), steps=1, engines={})
