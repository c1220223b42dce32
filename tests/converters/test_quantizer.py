"""What the static quantizers do where an output has parts with ranges of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.converters.engines import compute
from toolkit.converters.base import Node, Recipe
from toolkit.converters.ends import float_ends
from toolkit.converters.noise import output_groups, ratios
from toolkit.converters.study import static_quantizer
from toolkit.core import Artifact, Format, Precision, Samples

FORMATS = (Format.ONNX, Format.TFLITE, Format.OPENVINO)


def pictures(count: int) -> np.ndarray:
    """Patches of four pixels with a little noise, ``[N, 3, 16, 16]``."""
    random = np.random.default_rng(0)
    patches = random.random((count, 3, 4, 4)).repeat(4, 2).repeat(4, 3)
    return (patches + 0.1 * random.standard_normal(patches.shape)).astype(np.float32)


@pytest.mark.parametrize("format", FORMATS)
def test_each_part_of_an_output_keeps_its_values(format: Format, detector: dict[Node, Artifact], tmp_path: Path) -> None:
    source = detector[Node(format, Precision.FP32)]
    images = pictures(48)
    made = static_quantizer(format).convert(source, tmp_path / "int8", Recipe(Samples({"image": images[:16]})))
    exact, rounded = (compute(each, {"image": images[16:]}) for each in (source, made))
    groups = output_groups([exact])
    assert {name: len(parts) for name, parts in groups.items()} == dict.fromkeys(("joined", "masked", "classes", "levels"), 2)
    for name, parts in groups.items():
        for part in parts:
            noise = ratios([({name: part.of(exact[name])}, {name: part.of(rounded[name])})])[name]
            assert noise > 20, f"{name}, {part}: {noise:.1f} dB"
            assert len(np.unique(part.of(rounded[name]))) > 20, f"{name}, {part}: constant"
    # A mask leaves the others their values: with one value for all of them it is 9 dB. Their scores are large, so that it is never many.
    assert ratios([({"totals": exact["totals"]}, {"totals": rounded["totals"]})])["totals"] > 13
    # What the network reads itself comes back as it read it.
    assert rounded["totals"].dtype == np.float32
    best = np.take_along_axis(rounded["totals"], rounded["best"].astype(np.int64), 1)
    assert np.array_equal(best, -np.sort(-rounded["totals"], 1)[:, :2])


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_behind_the_last_layers_can_stay_in_float(format: Format, detector: dict[Node, Artifact], tmp_path: Path) -> None:
    """By the names that each format's graph gives, in its quantizer's own terms: the more of it, the less noise."""
    source = detector[Node(format, Precision.FP32)]
    calibrated = static_quantizer(format).calibrate(source, Recipe(Samples({"image": pictures(16)})), tmp_path)
    layers = {layer.name for layer in calibrated.layers if layer.multiply_adds}
    behind, heads = float_ends(calibrated.graph(), list(calibrated.exact.groups), layers=layers)
    assert not behind & layers
    assert len(heads - behind) == len(heads & layers) == 6, "boxes, scores, quality, classes, two levels"
    found = []
    for number, names in enumerate([(), behind, heads]):
        (folder := tmp_path / str(number)).mkdir()
        calibrated.write(file := folder / calibrated.file_name, names)
        noise = calibrated.exact.ratios(calibrated.outputs(file))
        found.append(min(noise[name] for name in calibrated.exact.groups))
    every, tail, all_float = found
    assert every <= tail + 0.5
    assert tail > 25
    assert all_float > tail + 3


def test_an_output_that_the_last_operator_reads_stays_integer_for_it(two_inputs: dict[Node, Artifact], tmp_path: Path) -> None:
    """AI Edge Quantizer gave that operator floats, and no interpreter opened the file."""
    random = np.random.default_rng(0)
    samples: dict[str, np.ndarray] = {
        "tokens": random.integers(0, 50, (64, 12)),
        "extra": random.standard_normal((64, 4)).astype(np.float32),
    }
    source = two_inputs[Node(Format.TFLITE, Precision.FP32)]
    made = static_quantizer(Format.TFLITE).convert(source, tmp_path / "int8", Recipe(Samples(samples)))
    exact, rounded = compute(source, samples), compute(made, samples)
    assert {name: array.dtype for name, array in rounded.items()} == {"logits": np.float32, "hidden": np.float32}
    assert min(ratios([(exact, rounded)]).values()) > 25
