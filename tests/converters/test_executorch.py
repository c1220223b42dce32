"""ExecuTorch: what XNNPACK takes, the largest batch, and that int8 is computed in integers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from toolkit.converters.base import Node, Recipe
from toolkit.converters.edges.executorch_from_pt2 import ExecutorchFromPt2
from toolkit.converters.edges.executorch_int8 import ExecutorchInt8
from toolkit.converters.recipes import Choices
from toolkit.core import Artifact, Format, InputError, Precision, TensorSpec
from toolkit.formats import find_format
from toolkit.runtimes import open_session

pytest.importorskip("executorch", reason="the extra [executorch] is not installed")


def operators(artifact: Artifact) -> dict[str, int]:
    assert artifact.manifest.operators is not None
    return artifact.manifest.operators.by_type


def test_the_operators_are_those_inside_of_xnnpacks_graphs(made: dict[Node, Artifact]) -> None:
    fp32, int8 = (made[Node(Format.EXECUTORCH, precision)] for precision in (Precision.FP32, Precision.INT8))
    for artifact in (fp32, int8):
        found = operators(artifact)
        # The batch normalization is part of the convolution before it.
        # A convolution of a single channel is one of each channel for itself.
        assert (found["XNNConv2d"], found["XNNDepthwiseConv2d"], found["XNNFullyConnected"], found["XNNMaxPooling2d"]) == (1, 1, 2, 2)
        assert find_format(Format.EXECUTORCH).operators(artifact.model_file) == artifact.manifest.operators
    assert fp32.manifest.operators is not None
    assert fp32.manifest.operators.quantized == 0
    assert int8.manifest.operators is not None
    # Convolutions and products compute in integers; conversions at the borders do not count.
    assert int8.manifest.operators.quantized >= 4
    assert operators(int8)["XNNConvert"] >= 2
    assert int8.size_bytes < 0.75 * fp32.size_bytes  # of a net so small, the graph itself is a good part


def test_the_largest_batch_is_the_recipes(source: Artifact, recipe: Recipe, made: dict[Node, Artifact], tmp_path: Path) -> None:
    small = ExecutorchFromPt2().convert(source, tmp_path / "small", replace(recipe, batch_sizes=(1, 5)))
    assert small.manifest.recipe["largest_batch"] == 5
    for artifact, largest in ((small, 5), (made[Node(Format.EXECUTORCH, Precision.FP32)], 32)):
        with open_session(artifact) as session:
            assert f"memory for batch {largest}," in session.actual.detail


def test_what_cannot_be_planned_is_refused(source: Artifact, tmp_path: Path) -> None:
    free = replace(source.manifest.signature, inputs=(TensorSpec("image", "float32", ("batch", 1, "height", 8)),))
    with pytest.raises(InputError, match="expected a free batch only, got also free: height"):
        ExecutorchFromPt2().convert(Artifact(source.path, replace(source.manifest, signature=free)), tmp_path / "out", Recipe())
    with pytest.raises(InputError, match="batch sizes"):
        ExecutorchFromPt2().convert(source, tmp_path / "out", Recipe(batch_sizes=()))
    with pytest.raises(InputError, match="per_channel = true or false"):
        ExecutorchInt8().check_choices(Choices(symmetric=True))
    assert not (tmp_path / "out").exists()


def test_one_scale_a_weight_is_a_choice(source: Artifact, recipe: Recipe, tmp_path: Path) -> None:
    one = ExecutorchInt8().convert(source, tmp_path / "one", replace(recipe, choices=Choices(per_channel=False), variant="per-tensor"))
    assert one.manifest.operators is not None
    assert one.manifest.operators.quantized >= 4
    assert one.manifest.recipe["per_channel"] is False
