"""What a file's outputs say of it, by decibels and by the metric that decides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from toolkit.converters.noise import Exact, Outputs
from toolkit.converters.quality import Judge
from toolkit.core import Format, Manifest, Precision, Samples, Signature, TensorSpec
from toolkit.tasks import Limits

SIGNATURE = Signature((TensorSpec("x", "float32", ("batch", 2)),), (TensorSpec("y", "float32", ("batch", 2)),))
MANIFEST = Manifest("net", Format.ONNX, Precision.FP32, SIGNATURE, {}, "import")
SURE = np.tile(np.array([[0, 9], [9, 0]], np.float32), (10, 1))
"""Right by its targets, twenty rows."""
TARGETS = np.tile([1, 0], 10)


def turned(rows: int) -> np.ndarray:
    """So many of the twenty answers are wrong."""
    return np.concatenate([SURE[:rows, ::-1], SURE[rows:]])


def judge(samples: Samples, limits: Limits, *, task: str = "") -> Judge:
    return Judge(replace(MANIFEST, task=task), Exact(lambda: batches(SURE)), samples, limits)


def batches(array: np.ndarray) -> Iterator[Outputs]:
    yield from ({"y": part} for part in np.split(array, 2))


@pytest.fixture
def metric(tmp_path: Path) -> str:
    (tmp_path / "mine.py").write_text(
        "def wrong(output, target):\n    return float(output.argmax() != target)\nwrong.higher_is_better = False\nwrong.unit = 'points'\n"
        "def late(output, target):\n    return float(output[-1].argmax() == target)\n"
        "def odd(outputs, targets):\n    raise ValueError('too few')\n"
    )
    return str(tmp_path / "mine.py")


SAMPLES = Samples({"x": np.zeros((20, 2), np.float32)}, TARGETS)


@pytest.mark.parametrize(("max_drop", "lost"), [(1.0, 10.0), (20.0, 0.5)])
def test_a_metric_of_the_users_own_decides_with_the_users_own_limit(metric: str, max_drop: float, lost: float) -> None:
    """Two of twenty wrong are 10 points, whichever way is better."""
    found = judge(SAMPLES, Limits(max_drop, metric=f"{metric}:wrong")).quality(lambda: batches(turned(2)))
    assert found.measured
    assert found.lost == pytest.approx(lost)
    assert found.fails is (max_drop == 1)


@pytest.mark.parametrize(("max_drop", "coarse", "certain"), [(4.0, True, False), (6.0, False, False), (16.0, False, True)])
def test_twenty_samples_cannot_tell_a_loss_of_less_than_one_of_them(max_drop: float, *, coarse: bool, certain: bool) -> None:
    """A classifier whose int8 file got every calibration sample right at 16 dB, of 48, lost 3 points on others."""
    found = judge(SAMPLES, Limits(max_drop), task="classification").quality(lambda: batches(turned(0) * 1.15))
    assert (found.lost, found.coarse) == (0, coarse)
    assert found.worst_db < 20
    assert (found.fails, found.enough) == (coarse, certain)
    close = judge(SAMPLES, Limits(max_drop), task="classification").quality(lambda: batches(turned(0) * 1.08))
    assert (close.fails, close.enough) == (False, certain), f"at {close.worst_db} dB"


@pytest.mark.parametrize(("limits", "lost"), [(Limits(), 10.0), (Limits(5.0), 2.0), (Limits(5.0, relative=True), 2.0)])
def test_a_tasks_metric_decides_with_the_users_own_limit(limits: Limits, lost: float) -> None:
    found = judge(SAMPLES, limits, task="classification").quality(lambda: batches(turned(2)))
    assert found.measured
    assert found.lost == pytest.approx(lost)


@pytest.mark.parametrize("shape", [(3, "batch", 2), ("time", 1, 2)])
def test_the_metric_gets_samples_whatever_axis_they_are_on(metric: str, shape: tuple[int | str, ...]) -> None:
    """Characters by time, ``[T, batch, C]``, or one call a sample, ``[T, 1, C]``: the calls lay behind each other in time, no metric fitted
    that, and int8 was judged by decibels.
    """
    free = shape[1] == "batch"
    signature = Signature((TensorSpec("x", "float32", ("batch" if free else 1, 2)),), (TensorSpec("y", "float32", shape),))

    def calls(array: np.ndarray) -> Iterator[Outputs]:
        yield from ({"y": np.stack([part[:, ::-1], part[:, ::-1], part])} for part in np.split(array, 2 if free else 20))

    limits = Limits(20.0, metric=f"{metric}:late")
    found = Judge(replace(MANIFEST, signature=signature), Exact(lambda: calls(SURE)), SAMPLES, limits).quality(lambda: calls(turned(2)))
    assert found.measured
    assert found.lost == pytest.approx(0.5)


def test_a_metric_that_is_undefined_on_the_calibration_samples_is_not_measured(metric: str) -> None:
    found = judge(SAMPLES, Limits(metric=f"{metric}:odd")).quality(lambda: batches(turned(2)))
    assert not found.measured


def test_what_only_the_outputs_show_decides_here_as_in_parity() -> None:
    """Rows of unit length are an embedding's: parity judged neighbours, and the search for layers decibels alone."""
    rows = np.random.default_rng(0).standard_normal((20, 2)).astype(np.float32)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    found = Judge(MANIFEST, Exact(lambda: batches(unit)), replace(SAMPLES, targets=None), Limits()).quality(lambda: batches(unit[::-1]))
    assert (found.measured, found.fails) == (True, True)


def test_an_output_on_which_the_metric_does_not_depend_must_keep_its_ratio() -> None:
    two = Signature(SIGNATURE.inputs, (*SIGNATURE.outputs, TensorSpec("features", "float32", ("batch", 2))))

    def both(features: np.ndarray) -> Iterator[Outputs]:
        yield {"y": SURE, "features": features}

    random = np.random.default_rng(0).standard_normal((20, 2)).astype(np.float32)
    judged = Judge(replace(MANIFEST, signature=two, task="classification"), Exact(lambda: both(random)), SAMPLES, Limits(10.0))
    assert not judged.quality(lambda: both(random)).fails
    lost = judged.quality(lambda: both(random + 1))
    assert (lost.lost, lost.fails) == (0, True)


@pytest.mark.parametrize("shapes", [((), ()), ((2, 3), (2, 4))], ids=["a number", "other sizes"])
def test_outputs_that_are_no_rows_are_judged_by_decibels(shapes: tuple[tuple[int, ...], ...]) -> None:
    def run() -> Iterator[Outputs]:
        yield from ({"y": np.ones(shape, np.float32)} for shape in shapes)

    found = Judge(MANIFEST, Exact(run), SAMPLES, Limits()).quality(run)
    assert (found.measured, found.fails) == (False, False)
