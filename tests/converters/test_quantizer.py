"""What the static quantizers do where an output has parts with ranges of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.converters.engines import compute
from toolkit.converters.base import Node, Recipe
from toolkit.converters.noise import output_groups, ratios
from toolkit.converters.planner import plan
from toolkit.core import Artifact, Format, Precision, Samples

FORMATS = (Format.ONNX, Format.TFLITE, Format.OPENVINO)


def pictures(count: int) -> np.ndarray:
    random = np.random.default_rng(0)
    patches = random.random((count, 3, 4, 4)).repeat(4, 2).repeat(4, 3)
    return (patches + 0.1 * random.standard_normal(patches.shape)).astype(np.float32)


@pytest.mark.parametrize("format", FORMATS)
def test_each_part_of_an_output_has_a_range_of_its_own(format: Format, detector: dict[Node, Artifact], tmp_path: Path) -> None:
    source = detector[Node(format, Precision.FP32)]
    (quantizer,) = plan(Node(format, Precision.FP32), Node(format, Precision.INT8))
    images = pictures(48)
    made = quantizer.convert(source, tmp_path / "int8", Recipe(Samples({"image": images[:16]})))
    exact, rounded = compute(source, {"image": images[16:]}), compute(made, {"image": images[16:]})
    groups = output_groups([exact])
    assert {name: len(parts) for name, parts in groups.items()} == {"joined": 2, "scaled": 2, "classes": 2, "levels": 2}
    for name, parts in groups.items():
        for part in parts:
            noise = ratios([({name: part.of(exact[name])}, {name: part.of(rounded[name])})])[name]
            assert noise > 20, f"{name}, {part}: {noise:.1f} dB"
            assert len(np.unique(part.of(rounded[name]))) > 10, f"{name}, {part}"
