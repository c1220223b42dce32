"""What the artifacts compute, by each engine itself, against torch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.converters.engines import ENGINES, compute
from tests.converters.nets import START
from toolkit.converters.base import Converter, Node, Recipe
from toolkit.converters.edges.onnx_from_tflite import OnnxFromTfliteInt8Dynamic
from toolkit.converters.edges.openvino_from_tflite import OpenvinoFromTfliteInt8Dynamic
from toolkit.converters.planner import reachable
from toolkit.core import Artifact, Format, Precision, Samples

if TYPE_CHECKING:
    from torch import nn

TARGETS = sorted((node for node in reachable(START) if node.format in ENGINES), key=str)
TOLERANCE = {Precision.FP32: 1e-4, Precision.FP16: 2e-2}


def logits_of(net: nn.Module, images: np.ndarray) -> np.ndarray:
    import torch

    with torch.no_grad():
        return np.asarray(net(torch.from_numpy(images)))


@pytest.mark.parametrize("target", [node for node in TARGETS if node.precision in TOLERANCE], ids=str)
def test_float_artifacts_compute_what_torch_does(
    target: Node, made: dict[Node, Artifact], trained: nn.Module, digits: tuple[Samples, Samples]
) -> None:
    images = digits[1].inputs["image"][:65]
    error = np.abs(compute(made[target], {"image": images})["logits"] - logits_of(trained, images)).max()
    assert error < TOLERANCE[target.precision]


@pytest.mark.parametrize("target", [node for node in TARGETS if node.precision.is_quantized], ids=str)
def test_quantized_artifacts_name_the_same_digits(
    target: Node, made: dict[Node, Artifact], trained: nn.Module, digits: tuple[Samples, Samples]
) -> None:
    images = digits[1].inputs["image"]
    expected = logits_of(trained, images)
    assert np.mean(expected.argmax(1) == digits[1].targets) > 0.9, "the net under test has not learned"
    found = compute(made[target], {"image": images})["logits"]
    assert np.mean(found.argmax(1) == expected.argmax(1)) > 0.95
    assert np.abs(found - expected).max() > 1e-5, "nothing was quantized"


@pytest.mark.parametrize("batch", [1, 2, 3, 7, 32])
@pytest.mark.parametrize("target", [node for node in TARGETS if node.format in {Format.ONNX, Format.OPENVINO, Format.EXECUTORCH}], ids=str)
def test_the_batch_is_free(target: Node, batch: int, made: dict[Node, Artifact], digits: tuple[Samples, Samples]) -> None:
    images = digits[1].inputs["image"][:batch]
    whole = compute(made[target], {"image": images})["logits"]
    assert whole.shape == (batch, 10)
    # A dynamic range covers the whole batch, so single rows may be rounded otherwise; elsewhere only sums are ordered otherwise.
    tolerance = 0.3 if target.precision is Precision.INT8_DYNAMIC else 5e-2
    np.testing.assert_allclose(whole[-1:], compute(made[target], {"image": images[-1:]})["logits"], atol=tolerance)


@pytest.mark.parametrize("format", list(ENGINES))
def test_two_inputs_and_two_outputs_keep_their_names(format: Format, two_inputs: dict[Node, Artifact], embedding: nn.Module) -> None:
    import torch

    random = np.random.default_rng(2)
    inputs: dict[str, np.ndarray] = {
        "tokens": random.integers(0, 50, (33, 12)),
        "extra": random.standard_normal((33, 4)).astype(np.float32),
    }
    with torch.no_grad():
        logits, hidden = embedding(torch.from_numpy(inputs["tokens"]), torch.from_numpy(inputs["extra"]))
    found = compute(two_inputs[Node(format, Precision.FP32)], inputs)
    np.testing.assert_allclose(found["logits"], np.asarray(logits), atol=1e-4)
    np.testing.assert_allclose(found["hidden"], np.asarray(hidden), atol=1e-4)


def test_sizes_follow_the_precision(made: dict[Node, Artifact]) -> None:
    import onnx

    def stored(precision: Precision) -> int:
        graph = onnx.load(made[Node(Format.ONNX, precision)].model_file).graph
        return sum(len(tensor.raw_data) for tensor in graph.initializer)

    assert stored(Precision.FP16) < 0.52 * stored(Precision.FP32)
    assert stored(Precision.INT8_WEIGHTS) < 0.35 * stored(Precision.FP32)


def test_tflite_signatures_share_their_weights(made: dict[Node, Artifact], trained: nn.Module) -> None:
    weights = sum(parameter.numel() * 4 for parameter in trained.parameters())
    size = made[Node(Format.TFLITE, Precision.FP32)].size_bytes
    assert size < weights + 8_000 < 2 * weights


@pytest.mark.parametrize(
    "converter",
    [OpenvinoFromTfliteInt8Dynamic(), pytest.param(OnnxFromTfliteInt8Dynamic(), marks=pytest.mark.tensorflow)],
    ids=lambda converter: converter.name,
)
def test_a_tflite_file_with_integer_weights_goes_on(
    converter: Converter, made: dict[Node, Artifact], digits: tuple[Samples, Samples], tmp_path: Path
) -> None:
    """What others ship as quantized is often that: it was said to go nowhere."""
    ours = made[Node(Format.TFLITE, Precision.INT8_DYNAMIC)]
    # As a stranger's file is read: its graph has a batch of one.
    source = replace(ours, manifest=replace(ours.manifest, signature=ours.manifest.signature.fixed({"batch": 1})))
    result = converter.convert(source, tmp_path / "out", Recipe())
    images = digits[1].inputs["image"][:16]
    rows = [{"image": images[place : place + 1]} for place in range(len(images))]
    expected, found = ([compute(each, row)["logits"] for row in rows] for each in (source, result))
    assert np.mean(np.argmax(found, -1) == np.argmax(expected, -1)) > 0.9
    sizes = [
        sum(each.stat().st_size for each in one.path.iterdir() if each.suffix in {".onnx", ".bin"})
        for one in (result, made[Node(converter.target.format, Precision.FP32)])
    ]
    assert sizes[0] < sizes[1] / 2
