"""Outputs that lie in files: every metric is what it is of those in memory, and no copy of the whole is made."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from tests.tasks.contract import Example
from tests.tasks.examples import EXAMPLES
from toolkit.core import mapped
from toolkit.core.mapped import mapping_of
from toolkit.tasks import find_task

DENSE = {
    "segmentation": ((20, 64, 64), "int64", (64, 64)),
    "regression": ((20, 64, 64), "float32", (20, 64, 64)),
    "reconstruction": ((3, 64, 64), "float32", (3, 64, 64)),
    "keypoints": ((20, 64, 64), "float32", (20, 3)),
    "language-model": ((16, 2000), "int64", (16,)),
    "tagging": ((64, 900), "int64", (64,)),
    "transcription": ((64, 900), "int64", (64,)),
}
"""The shapes of an output and of a target of one sample, for tasks whose outputs are large."""


def in_file(array: np.ndarray, file: Path) -> np.ndarray:
    np.save(file, array)
    found: np.ndarray = np.load(file, mmap_mode="r")
    return found


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.mark.parametrize("name", EXAMPLES)
def test_metrics_are_those_of_arrays_in_memory(name: str, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example: Example = EXAMPLES[name](np.random.default_rng(1))
    task = find_task(name)
    whole = task.predictions(example.outputs)
    expected = [[metric.score(whole, targets).value for targets in (example.targets, task.as_targets(whole))] for metric in task.metrics]
    monkeypatch.setattr(mapped, "CHUNK_BYTES", 100)  # A row or two at a time.
    monkeypatch.setattr(mapped, "_IN_MEMORY_BYTES", 0)
    outputs = {output: in_file(array, small / f"{output}.npy") for output, array in example.outputs.items()}
    targets = in_file(example.targets, small / "targets.npy")
    task.check(example.signature, targets, "example")
    parts = task.predictions(outputs)
    found = [[metric.score(parts, each).value for each in (targets, task.as_targets(parts))] for metric in task.metrics]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("name", DENSE)
def test_no_copy_of_large_outputs_is_made(name: str, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shape, kind, target = DENSE[name]
    random, count = np.random.default_rng(0), 16_000_000 // (4 * int(np.prod(shape)))
    output = in_file(random.random((count, *shape), np.float32), small / "output.npy")
    true = random.integers(0, 2, (count, *target))
    if name == "transcription":
        true[:, -1] = -1
    targets = in_file(true.astype(kind), small / "targets.npy")
    monkeypatch.setattr(mapped, "CHUNK_BYTES", 2**18)
    monkeypatch.setattr(mapped, "_IN_MEMORY_BYTES", 2**20)
    task = find_task(name)
    tracemalloc.start()
    try:
        predictions = task.predictions({"output": output})
        for metric in task.metrics:
            if metric.name != "ssim":  # Which is slow, and has its pictures as PSNR has.
                metric.score(predictions, targets)
                metric.score(predictions, task.as_targets(predictions))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < output.nbytes / 2, f"{peak / 1e6:.1f} MB"


def test_a_yes_is_a_yes_whatever_part_it_is_in(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One score above 1 says that none is a probability, those of other samples too."""
    scores = np.full((40, 1, 8, 8), 0.3, np.float32)
    scores[-1] = 4
    monkeypatch.setattr(mapped, "CHUNK_BYTES", 300)
    monkeypatch.setattr(mapped, "_IN_MEMORY_BYTES", 0)
    found = find_task("segmentation").predictions({"output": in_file(scores, small / "output.npy")})
    assert found.labels.all()
    assert mapping_of(found.labels) is not None
