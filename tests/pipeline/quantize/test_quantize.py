"""A net that plain int8 breaks is quantized inside the limit in every format, and most of its work stays in integers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from tests.pipeline.quantize.breaking import broken_net
from toolkit.cli import toolkit
from toolkit.converters.layers import Execution, Layer
from toolkit.converters.study import Sensitivity, layers_of, static_quantizer, why_float
from toolkit.core import Artifact, DataError, Format, ParityReport, Samples, Verdict
from toolkit.pipeline.quantize import divide
from toolkit.pipeline.quantize.search import Trial, _fewest
from toolkit.pipeline.sources import Split

pytestmark = pytest.mark.xdist_group("quantize")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]], str]:
    """The bundle, what --json says of each format, and what is printed the second time."""
    folder = tmp_path_factory.mktemp("quantize")
    artifact, file = broken_net(folder)
    words = ["quantize", str(artifact.path.parent), "--data", str(file), "--choice", "1500", "--rounds", "1"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOOLKIT_CACHE", str(folder / "cache"))
        patch.setenv("COLUMNS", "80")
        first = CliRunner().invoke(toolkit, [*words, "--json", str(folder / "rows.json")])
        assert first.exit_code == 0, first.output
    return artifact.path.parent, json.loads((folder / "rows.json").read_text()), first.output


@pytest.mark.parametrize("format", ["onnx", "tflite", "openvino"])
def test_a_net_that_int8_breaks_is_held(format: str, made: tuple[Path, list[dict[str, Any]], str]) -> None:
    bundle, rows, printed = made
    (row,) = [row for row in rows if row["target"] == f"{format}-int8"]
    plain, chosen = row["found"]["plain"]["report"]["task"], row["found"]["chosen"]["report"]["task"]
    assert plain["drop"] > 20
    assert chosen["drop_high"] <= 1
    artifact = Artifact.load(bundle / f"{format}-int8")
    assert artifact.verdict is Verdict.PASSED
    kept = [layer["name"] for each in row["found"]["excluded"] for layer in each["layers"]]
    assert artifact.manifest.recipe["keep_float"] == "; ".join(kept)
    cost = row["cost"]
    assert 0.7 <= cost["share"] < 1
    assert cost["plain_share"] == 1
    assert {layer["name"] for layer, _ in cost["in_float"]} <= set(kept)
    assert cost["size_bytes"] < cost["float_size_bytes"]
    assert cost["against_float"]["ratio"]["low"] > 0
    assert f"{format}-int8" in printed
    assert "layers kept in float" in printed


@pytest.mark.parametrize("format", list(Format)[1:4])
def test_the_work_of_each_layer_is_known(format: Format, made: tuple[Path, list[dict[str, Any]], str]) -> None:
    bundle, _, _ = made
    layers = layers_of(
        static_quantizer(format), Artifact.load(bundle / f"{format}-fp32"), Samples({"image": np.zeros((1, 1, 8, 8), np.float32)})
    )
    # By hand: pixels times weights of a pixel, the second convolution on a quarter of the pixels.
    expected = [64 * 9 * 16, 64 * 16 * 16, 64 * 9 * 16, 64 * 16 * 24, 64 * 9 * 24 * 24, 16 * 9 * 24 * 24, 16 * 24 * 10]
    assert [layer.multiply_adds for layer in layers if layer.multiply_adds] == expected
    assert len({layer.name for layer in layers}) == len(layers)


def test_choice_and_evaluation_share_no_row() -> None:
    samples = Samples({"x": np.arange(101, dtype=np.float32)[:, None]}, np.arange(101))
    split, choice = divide(Split(samples.rows(slice(0, 5)), samples), 2000)
    assert len(choice) == 50
    assert sorted([*choice.targets, *split.evaluation.targets]) == list(range(101))  # type: ignore[misc]
    with pytest.raises(DataError, match="too few samples"):
        divide(Split(samples, samples.rows(slice(0, 1))), 10)


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


def test_a_layer_that_is_not_there(made: tuple[Path, list[dict[str, Any]], str]) -> None:
    from toolkit.converters.base import Recipe
    from toolkit.core import UnknownNameError

    bundle, _, _ = made
    samples = Samples({"image": np.random.default_rng(0).random((8, 1, 8, 8), np.float32)})
    with pytest.raises(UnknownNameError, match=r"unknown layer 'node_conv2d_9'.*did you mean 'node_conv2d"):
        static_quantizer(Format.ONNX).convert(
            Artifact.load(bundle / "onnx-fp32"), bundle.parent / "no", Recipe(calibration=samples, keep_float=("node_conv2d_9",))
        )
    assert not (bundle.parent / "no").exists()
