from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.converters.engines import compute
from tests.converters.nets import export
from tests.converters.worst import worst_ratio
from toolkit.converters.base import Node, Recipe
from toolkit.converters.noise import REFUSED_DB, Exact, output_groups, ratios
from toolkit.converters.planner import plan
from toolkit.core import Format, Precision, Samples, Signature, TensorSpec


def test_the_worst_output_counts() -> None:
    exact = {"good": np.full((4, 2), 10.0, np.float32), "bad": np.full(4, -1.0, np.float32)}
    noisy = {"good": exact["good"] + 0.01, "bad": exact["bad"] + 0.1}
    # 10 log10(10^2 / 0.01^2) = 60 dB, and 10 log10(1 / 0.1^2) = 20 dB.
    assert worst_ratio([(exact, noisy)]) == pytest.approx(20, abs=1e-3)
    assert worst_ratio([({"good": exact["good"]}, {"good": noisy["good"]})] * 3) == pytest.approx(60, abs=0.01)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_no_noise_is_a_number(value: float) -> None:
    same = {"y": np.full(3, value, np.float32)}
    assert worst_ratio([(same, same)]) == 200


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_outputs_that_are_not_finite_are_the_noisiest(value: float) -> None:
    exact = {"y": np.ones(3, np.float32)}
    assert worst_ratio([(exact, {"y": exact["y"] * value})]) == REFUSED_DB


def test_a_mask_does_not_take_all_the_levels_of_a_sum(tmp_path: Path) -> None:
    """Scores from -2 to 2 beside -10,000: with 256 levels for the sum every score would be the same."""
    import onnx
    import torch
    from torch import nn

    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.score, self.head = nn.Linear(8, 1), nn.Linear(8, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            empty = (x[:, :, :1] > 0.8).to(x.dtype)
            return self.head((torch.softmax(8 * self.score(x) - empty * 1e4, dim=1) * x).sum(dim=1))

    values = np.random.default_rng(0).uniform(-1, 1, (96, 6, 8)).astype(np.float32)
    signature = Signature((TensorSpec("x", "float32", ("batch", 6, 8)),), (TensorSpec("y", "float32", ("batch", 3)),))
    source = export(tmp_path / "pt2-fp32", Masked(), (torch.zeros(2, 6, 8),), signature, "masked")
    made = {Precision.FP32: source}
    for converter in plan(Node(Format.PT2, Precision.FP32), Node(Format.ONNX, Precision.INT8)):
        out = tmp_path / str(converter.target)
        source = converter.convert(source, out, Recipe(calibration=Samples({"x": values[:64]}, None, "random")))
        made[converter.target.precision] = source
    exact, rounded = (compute(made[each], {"x": values[64:]})["y"] for each in (Precision.FP32, Precision.INT8))
    assert 10 * np.log10(np.sum(exact**2) / np.sum((exact - rounded) ** 2)) > 25
    nodes = {node.op_type for node in onnx.load(made[Precision.INT8].model_file).graph.node}
    assert "QuantizeLinear" in nodes


def detections(box_noise: float, score_noise: float) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Boxes of 100 beside scores of 0.1 in one output ``[4, 7, 9]``, and labels; with noise of that share of each."""
    exact = np.concatenate([np.full((4, 4, 9), 100.0), np.full((4, 3, 9), 0.1)], 1).astype(np.float32)
    noisy = exact * np.array([1 + box_noise] * 4 + [1 + score_noise] * 3, np.float32)[:, None]
    labels = np.arange(4)
    return {"found": exact, "label": labels}, {"found": noisy, "label": labels[::-1]}


def test_parts_with_ranges_of_their_own_count_apart() -> None:
    exact, noisy = detections(0.001, 0.1)
    batches = [(exact, noisy)] * 2
    groups = output_groups([exact, exact])
    assert [(group.start, group.stop) for group in groups["found"]] == [(0, 4), (4, 7)]
    assert set(groups) == {"found"}
    # The scores' 20 dB are nothing beside the boxes' 60, and labels that differ are no noise where there are real numbers.
    assert worst_ratio(batches) == pytest.approx(60, abs=0.1)
    assert worst_ratio(batches, groups) == pytest.approx(20, abs=0.1)
    assert ratios([({"label": exact["label"]}, {"label": noisy["label"]})])["label"] < 0


def test_groups_are_those_of_all_batches() -> None:
    small, large = np.full((2, 4, 3), 0.5, np.float32), np.full((2, 4, 3), 0.5, np.float32)
    large[1, :2] = 50
    assert output_groups([{"y": small}]) == {}
    assert [group.stop for group in output_groups([{"y": small}, {"y": large}, {"y": np.full((1, 4, 3), np.nan)}])["y"]] == [2, 4]
    assert output_groups([{"y": large}, {"y": large[:, :3]}]) == {}, "its size is another in each batch"


@pytest.mark.parametrize(("kept_bytes", "runs"), [(10**6, 1), (0, 3)])
def test_a_float_model_runs_once_where_its_outputs_can_be_kept(kept_bytes: int, runs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.converters.noise._KEPT_BYTES", kept_bytes)
    exact, noisy = detections(0.001, 0.1)
    asked = []

    def run() -> Iterator[dict[str, np.ndarray]]:
        asked.append(1)
        yield from [exact, exact]

    model = Exact(run)
    for _ in range(2):
        assert model.ratios([noisy, noisy])["found"] == pytest.approx(20, abs=0.1)
    assert len(asked) == runs
