"""The test that every task must pass; third parties call `check_task` on their own, with an example that their task can judge."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest

from toolkit.core import POINTS, Signature
from toolkit.tasks import Metric, Scorer, Task, paired_loss

NAME = re.compile(r"[a-z][a-z0-9-]*")
BEST_BUT_FOR_SHARES = {"perplexity": 1.0, "psnr": 100.0}


@dataclass(frozen=True, eq=False)
class Example:
    """Outputs ``[N, ...]`` of a network with this signature, not all of them right, and targets of the same samples."""

    signature: Signature
    outputs: Mapping[str, np.ndarray]
    targets: np.ndarray
    of_pairs: bool = False
    """Whether samples are compared with each other, so that a metric is no function of sums over samples."""

    def rows(self, index: np.ndarray) -> Example:
        outputs = {name: array[index] for name, array in self.outputs.items()}
        return Example(self.signature, outputs, self.targets[index], self.of_pairs)


def check_task(task: Task, example: Example) -> None:
    """Raise an `AssertionError` unless `task` keeps what `Task` promises on this example."""
    assert NAME.fullmatch(task.name)
    for words in (task.title, task.targets, task.agreement):
        assert words
        assert words.isprintable()
    assert isinstance(task.fits(example.signature, example.targets), bool)
    assert isinstance(task.fits(example.signature, None), bool)
    task.check(example.signature, example.targets, "example")
    names = [spec.name for spec in example.signature.outputs]
    assert set(task.judged(example.signature)) <= set(names)
    assert task.judged(example.signature)
    assert task.metrics
    for metric in task.metrics:
        _check_metric(task, metric, example)


def _check_metric(task: Task, metric: Metric, example: Example) -> None:
    assert NAME.fullmatch(metric.name)
    assert metric.title
    count = len(example.targets)
    scorer = _scorer(task, metric, example)
    assert len(scorer) == count
    ones = np.ones((1, count))
    value = scorer.value
    assert math.isfinite(value)
    if metric.unit == POINTS and metric.name not in {"r2", "ssim"}:
        assert 0 <= value <= 1
    np.testing.assert_array_equal(scorer.values(ones), [value])
    _check_weights(task, metric, example, scorer)
    _check_agreement(task, metric, example)
    loss = paired_loss(metric, scorer, _scorer(task, metric, example), resamples=50)
    assert loss.reference == loss.candidate == value
    assert loss.differing == 0
    assert loss.samples == count
    assert loss.drop.value == 0
    assert loss.drop.low <= 0 <= loss.drop.high
    assert not scorer.differs(scorer).any()


def _check_weights(task: Task, metric: Metric, example: Example, scorer: Scorer) -> None:
    """Rows of weights do not know of each other, their scale is nothing, and a sample twice is a sample that is there twice."""
    count = len(example.targets)
    random = np.random.default_rng(1)
    weights = random.integers(0, 3, size=(6, count)).astype(np.float64)
    together = scorer.values(weights)
    assert together.shape == (6,)
    assert together.dtype == np.float64
    np.testing.assert_allclose(together, [scorer.values(row[None])[0] for row in weights], rtol=1e-12)
    np.testing.assert_allclose(scorer.values(3 * weights), together, rtol=1e-9)
    if example.of_pairs:
        return
    for row, value in zip(weights, together, strict=True):
        drawn = example.rows(np.repeat(np.arange(count), row.astype(int)))
        assert _scorer(task, metric, drawn).value == pytest.approx(value, rel=1e-9, nan_ok=True)


def _check_agreement(task: Task, metric: Metric, example: Example) -> None:
    """Judged by its own answers nothing is better; judged by those of another, samples differ."""
    predictions = task.predictions(example.outputs)
    own = metric.score(predictions, task.as_targets(predictions))
    best = BEST_BUT_FOR_SHARES.get(metric.name, 1.0 if metric.higher_is_better else 0.0)
    assert own.value == pytest.approx(best, abs=1e-12), f"{metric.name} of a reference by its own answers"
    backwards = {name: np.roll(array, 1, axis=0) for name, array in example.outputs.items()}
    other = metric.score(task.predictions(backwards), task.as_targets(predictions))
    assert own.differs(other).any()
    assert other.value <= own.value if metric.higher_is_better else other.value >= own.value
    loss = paired_loss(metric, own, other, resamples=200)
    assert loss.drop.value >= 0
    assert loss.drop.low <= loss.drop.value <= loss.drop.high


def _scorer(task: Task, metric: Metric, example: Example) -> Scorer:
    return metric.score(task.predictions(example.outputs), example.targets)
