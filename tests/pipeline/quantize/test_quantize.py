"""A net that plain int8 breaks is quantized inside the limit in every format, and most of its work stays in integers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from tests.pipeline.quantize.breaking import broken_net
from tests.tiny import tiny_artifact
from toolkit.cli import toolkit
from toolkit.converters.base import Recipe
from toolkit.converters.quantizer import Execution
from toolkit.converters.study import Sensitivity, layers_of, static_quantizer, why_float
from toolkit.core import Artifact, DataError, Format, InconclusiveError, ParityReport, Precision, Samples, UnknownNameError, Verdict
from toolkit.formats import Layer
from toolkit.pipeline.quantize import Quantized, divide
from toolkit.pipeline.quantize.search import Trial, _check_decidable, _fewest, _no_choice
from toolkit.pipeline.source.samples import Split
from toolkit.runtimes.base import Actual
from toolkit.runtimes.parity import Observation, judge
from toolkit.tasks import Limits

FORMATS = (Format.ONNX, Format.TFLITE, Format.OPENVINO)


@pytest.mark.slow
def test_a_net_that_int8_breaks_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One test, because it takes a minute and a half to make what it looks at."""
    artifact, file = broken_net(tmp_path)
    bundle = artifact.path.parent
    # Three points: a choice that holds one by a hair on 1,500 samples is undecided on the other 3,958.
    words = ["quantize", str(bundle), "--data", str(file), "--choice", "1500", "--max-drop", "3"]
    words += ["--rounds", "1", "--json", str(tmp_path / "rows.json")]
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "80")
    result = CliRunner().invoke(toolkit, words)
    assert result.exit_code == 0, result.output
    rows = {row["target"]: row for row in json.loads((tmp_path / "rows.json").read_text())}
    assert all(0 < row["samples"]["choice"] <= 1500 and row["samples"]["needed"] == 125 for row in rows.values())
    assert "choose layers" in result.stderr.splitlines()[0]
    for format in FORMATS:
        assert f"{format}-int8" in result.output
        check_held(rows[f"{format}-int8"], Artifact.load(bundle / f"{format}-int8"))
        check_work(format, Artifact.load(bundle / f"{format}-fp32"))
    assert "layers kept in float" in result.output
    check_unknown_layer(Artifact.load(bundle / "onnx-fp32"), tmp_path / "no")


def check_held(row: dict[str, Any], artifact: Artifact) -> None:
    plain, chosen = row["found"]["plain"]["report"]["task"], row["found"]["chosen"]["report"]["task"]
    assert plain["drop"] > 20
    assert chosen["drop_high"] <= 3
    assert artifact.verdict is Verdict.PASSED
    kept = [layer["name"] for each in row["found"]["excluded"] for layer in each["layers"]]
    assert artifact.manifest.recipe["keep_float"] == "; ".join(kept)
    cost = row["cost"]
    assert 0.7 <= cost["share"] < 1
    assert cost["plain_share"] == 1
    assert {layer["name"] for layer, _ in cost["in_float"]} <= set(kept)
    assert cost["size_bytes"] < cost["float_size_bytes"]
    assert cost["against_float"]["ratio"]["low"] > 0


def check_work(format: Format, exact: Artifact) -> None:
    samples = Samples({"image": np.zeros((1, 1, 8, 8), np.float32)})
    layers = layers_of(static_quantizer(format), exact, samples)
    # By hand: pixels times weights of a pixel, the second convolution on a quarter of the pixels.
    expected = [64 * 9 * 16, 64 * 16 * 16, 64 * 9 * 16, 64 * 16 * 24, 64 * 9 * 24 * 24, 16 * 9 * 24 * 24, 16 * 24 * 10]
    assert [layer.multiply_adds for layer in layers if layer.multiply_adds] == expected
    assert len({layer.name for layer in layers}) == len(layers)


def check_unknown_layer(exact: Artifact, out: Path) -> None:
    samples = Samples({"image": np.random.default_rng(0).random((8, 1, 8, 8), np.float32)})
    recipe = Recipe(calibration=samples, keep_float=("node_conv2d_9",))
    with pytest.raises(UnknownNameError, match=r"unknown layer 'node_conv2d_9'.*did you mean 'node_conv2d"):
        static_quantizer(Format.ONNX).convert(exact, out, recipe)
    assert not out.exists()


def test_choice_and_evaluation_share_no_row() -> None:
    samples = Samples({"x": np.arange(101, dtype=np.float32)[:, None]}, np.arange(101))
    split, choice = divide(Split(samples.rows(slice(0, 5)), samples), 2000)
    assert len(choice) == 50
    assert sorted([*choice.targets, *split.evaluation.targets]) == list(range(101))  # type: ignore[misc]
    with pytest.raises(DataError, match="too few samples"):
        divide(Split(samples, samples.rows(slice(0, 1))), 10)


def seen(logits: np.ndarray) -> Observation:
    return Observation("", Actual("engine", "1", "cpu", Precision.FP32, 1), {2: {"logits": logits[:2]}}, {"logits": logits})


def a_trial(artifact: Artifact, rows: int, wrong: int, limits: Limits) -> Trial:
    """A trial of `rows` samples without labels, `wrong` of which differ from the reference."""
    logits = np.eye(10, dtype=np.float32)[np.arange(rows) % 10]
    found = logits.copy()
    found[:wrong] *= -1
    samples = Samples({"x": np.zeros((rows, 64), np.float32)})
    report = judge(artifact, seen(found), seen(logits), samples, limits=limits)
    return Trial(("layer",), artifact, report, report.reason)


def test_too_few_samples_to_choose_by_are_inconclusive_at_once(tmp_path: Path) -> None:
    """192 samples cannot confirm a point even of a network that loses nothing; 381 can."""
    made = tiny_artifact(tmp_path, Precision.INT8)
    logits = np.eye(10, dtype=np.float32)[np.arange(400) % 10]
    for rows, max_drop, message in ((192, 1.0, "192 samples cannot confirm a drop of at most 1 point:"), (10, 2.5, "at most 2.5 points:")):
        limits = Limits(max_drop)
        choice = Samples({"x": np.zeros((rows, 64), np.float32)})
        with pytest.raises(InconclusiveError, match=f"^onnx-int8: inconclusive: .*{message}") as caught:
            _check_decidable("onnx-int8", a_trial(made, rows, 5, limits), seen(logits[:rows]), choice, limits)
        assert str(caught.value).endswith("; add samples or raise --max-drop")
    _check_decidable("onnx-int8", a_trial(made, 381, 50, Limits()), seen(logits[:381]), Samples({"x": np.zeros((381, 64))}), Limits())


def test_no_choice_says_whether_the_samples_or_the_layers_are_to_blame(tmp_path: Path) -> None:
    made, limits = tiny_artifact(tmp_path, Precision.INT8), Limits()
    bad, open_, refused = a_trial(made, 400, 60, limits), a_trial(made, 400, 4, limits), Trial((), made, None, "the engine failed")
    error = _no_choice("onnx-int8", [bad, open_, refused], limits)
    assert isinstance(error, InconclusiveError)
    assert str(error).startswith(
        "onnx-int8: inconclusive: 400 samples cannot confirm a drop of at most 1 point: got top-1 agreement drop +1.00"
    )
    error = _no_choice("onnx-int8", [bad, refused], limits)
    assert not isinstance(error, InconclusiveError)
    assert "no mixed-precision setting met --max-drop: expected at most 1 point, got top-1 agreement drop +15.00" in str(error)
    undecided, failed = Quantized("onnx-int8", reason="x", inconclusive=True), Quantized("onnx-int8", reason="x")
    assert (undecided.verdict, failed.verdict) == (Verdict.UNDECIDED, Verdict.FAILED)
    assert not undecided.passed


@pytest.mark.parametrize("needed", [1, 2, 3, 5, 8, 9])
def test_the_fewest_layers_are_found_by_bisection(needed: int) -> None:
    ranking = [Sensitivity((Layer(str(number), "Conv", 1),), float(number)) for number in range(10)]
    tried: list[int] = []

    def attempt(keep: Any) -> Trial:
        tried.append(len(keep))
        report = ParityReport.__new__(ParityReport)
        object.__setattr__(report, "verdict", Verdict.PASSED if len(keep) >= needed else Verdict.FAILED)
        return Trial((), Artifact.__new__(Artifact), report, "")

    found = _fewest(ranking, attempt)
    assert found is not None
    assert [each.layers[0].name for each in found] == [str(number) for number in range(needed)]
    assert len(set(tried)) <= 7
    assert _fewest(ranking, lambda keep: attempt(keep[:0])) is None


def test_shares_and_reasons() -> None:
    layers = [Layer("a", "Conv", 30), Layer("b", "LSTM", 10), Layer("c", "Add", 0)]
    assert Execution(frozenset({"a", "c"}), 0).share(layers) == 0.75
    assert Execution(frozenset(), 0).share(layers[2:]) == 0
    assert "recurrent" in why_float(layers[1], Format.ONNX)
    assert "did not fuse" in why_float(layers[0], Format.ONNX)
