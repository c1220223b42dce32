"""A wrong constant is found by the name of its layer: for every layer with weights, in each format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.pipeline.debug.conftest import FORMATS, NETS, nets
from tests.pipeline.debug.faults import constants, plant
from toolkit.core import Artifact, Format, Samples
from toolkit.pipeline.debug.task import Compared, Model, Task, debug_task


def compare(reference: Artifact, candidate: Artifact, folder: Path) -> Compared:
    """The debugger's answer without its process, which would import torch again for each fault."""
    folder.mkdir()
    inputs = np.random.default_rng(0).standard_normal((3, 1, 8, 8)).astype(np.float32)
    Samples({"image": inputs}).save(folder / "inputs.npz")
    first, second = (Model(str(each.model_file), each.manifest.format, each.manifest.signature) for each in (reference, candidate))
    return debug_task(Task(first, second, candidate.manifest.precision, batch=1, folder=str(folder)))


def owner(values: np.ndarray, known: list[tuple[str, np.ndarray]]) -> str | None:
    """The layer whose weights have these values."""
    ordered = np.sort(values.astype(np.float64), axis=None)
    for layer, own in known:
        if own.size == ordered.size and np.allclose(own, ordered, rtol=1e-4, atol=1e-5):
            return layer
    return None


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("net", NETS)
def test_every_layer_with_weights_is_named(
    made: dict[str, Path], owners: dict[str, list[tuple[str, np.ndarray]]], tmp_path: Path, net: str, format: Format
) -> None:
    reference, good = Artifact.load(made[net] / "pt2-fp32"), Artifact.load(made[net] / f"{format}-fp32")
    hit = set()
    for index, (name, values) in enumerate(constants(good).items()):
        layer = owner(values, owners[net])
        if layer is None:
            continue
        hit.add(layer)
        found = compare(reference, plant(good, name, tmp_path / f"bad{index}"), tmp_path / f"out{index}")
        assert found.divergences, f"{name} of {layer}"
        assert layer in found.divergences[0].layers, f"{name} of {layer}: {found.divergences[0]}"
        assert len(found.divergences[0].layers) <= 2
        assert found.divergences[0].inputs_error < 1e-4
        assert len(found.divergences) == 1
    wanted = {key.rpartition(".")[0] for key in nets()[net].state_dict()} - {"1"}
    assert hit >= wanted, "every layer had its fault; the normalization is a part of the convolution before it"


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("net", NETS)
def test_no_layer_departs_in_an_untouched_file(made: dict[str, Path], tmp_path: Path, net: str, format: Format, precision: str) -> None:
    candidate = Artifact.load(made[net] / f"{format}-{precision}")
    found = compare(Artifact.load(made[net] / "pt2-fp32"), candidate, tmp_path / "out")
    assert not found.divergences
    assert found.layers[-1].layer == ("9" if net == "plain" else "head")
    limit = 1e-5 if precision == "fp32" else 0.02
    assert max(layer.error for layer in found.layers) < limit
    assert len(found.layers) >= 5
    assert not (tmp_path / "out" / "reproduction").exists()


def test_a_fault_in_half_precision_is_named(made: dict[str, Path], tmp_path: Path) -> None:
    for format in FORMATS:
        good = Artifact.load(made["branches"] / f"{format}-fp16")
        (name,) = (name for name, values in constants(good).items() if values.size == 8 * 8 * 9)
        found = compare(Artifact.load(made["branches"] / "pt2-fp32"), plant(good, name, tmp_path / format), tmp_path / f"{format}-out")
        assert found.divergences[0].layers == ("body.2",)


def test_the_second_fault_is_found_behind_the_first(made: dict[str, Path], tmp_path: Path) -> None:
    good = Artifact.load(made["branches"] / "onnx-fp32")
    both = plant(plant(good, "stem.weight", tmp_path / "one"), "body.2.bias", tmp_path / "two")
    found = compare(Artifact.load(made["branches"] / "pt2-fp32"), both, tmp_path / "out")
    assert [divergence.layers for divergence in found.divergences] == [("stem",), ("body.2",)]


def test_a_weight_that_is_no_number_is_named(made: dict[str, Path], tmp_path: Path) -> None:
    import onnx

    bad = plant(Artifact.load(made["branches"] / "onnx-fp32"), "body.0.weight", tmp_path / "bad")
    model = onnx.load(bad.model_file)
    (tensor,) = (tensor for tensor in model.graph.initializer if tensor.name == "body.0.weight")
    values = onnx.numpy_helper.to_array(tensor).copy()
    values[0, 0, 0, 0] = np.nan
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    onnx.save(model, bad.model_file)
    found = compare(Artifact.load(made["branches"] / "pt2-fp32"), bad, tmp_path / "out")
    assert found.divergences[0].layers == ("body.0",)
