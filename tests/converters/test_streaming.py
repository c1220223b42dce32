"""Ranges from samples in a file are those from the same samples in memory: the int8 files are the same, bit by bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.conftest import ROOT
from toolkit.converters.base import Recipe
from toolkit.converters.planner import all_converters
from toolkit.core import Artifact, Samples, mapped

EARLIER = ROOT / "tests" / "data" / "0.1.0" / "perceptron"


@pytest.mark.parametrize("format", ["onnx", "openvino", "tflite"])
def test_int8_of_mapped_samples_is_int8_of_those_in_memory(format: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Artifact.load(EARLIER / f"{format}-fp32")
    converter = next(each for each in all_converters() if each.name == f"{format}_int8")
    (spec,) = source.manifest.signature.inputs
    array = np.random.default_rng(0).standard_normal((70, *spec.concrete(1)[1:])).astype(np.float32)
    np.save(tmp_path / "x.npy", array)
    monkeypatch.setattr(mapped, "CHUNK_BYTES", 1000)
    kept = Samples({spec.name: array}, None, "in memory")
    streamed = Samples({spec.name: np.load(tmp_path / "x.npy", mmap_mode="r")}, None, "in a file")
    assert mapped.mapping_of(streamed.inputs[spec.name]) is not None
    made = [
        converter.convert(source, tmp_path / samples.origin, Recipe(samples.rows(slice(3, 68)), (1, 32))) for samples in (kept, streamed)
    ]
    assert made[0].manifest.files == made[1].manifest.files
    assert made[0].manifest.calibration is not None
    assert made[1].manifest.calibration is not None
    assert made[0].manifest.calibration.sha256 == made[1].manifest.calibration.sha256
    other = converter.convert(source, tmp_path / "others", Recipe(kept.rows(slice(0, 20)), (1, 32)))
    assert other.manifest.files != made[0].manifest.files, "what calibrates decides the file"
