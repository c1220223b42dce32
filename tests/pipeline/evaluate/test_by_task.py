"""Networks that are no classifier: the metrics of their task, on the outputs that their engine gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.tiny import CLASSES, tiny_artifact, tiny_samples
from toolkit.core import Artifact, DataError, Samples
from toolkit.pipeline import text
from toolkit.pipeline.evaluate import evaluate
from toolkit.pipeline.evaluate.by_task import TaskFigures
from toolkit.pipeline.evaluate.classifier import classes_of
from toolkit.pipeline.evaluate.page import PAGE, write_evaluation
from toolkit.runtimes import open_session
from toolkit.tasks import Limits

ROWS = 120


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    made = tiny_artifact(tmp_path / "net")
    return replace(made, manifest=replace(made.manifest, task=""))


@pytest.fixture
def outputs(artifact: Artifact) -> np.ndarray:
    with open_session(artifact) as session:
        found: np.ndarray = session.run(tiny_samples(ROWS).inputs)[0]
    return found


def test_regression_of_what_the_engine_says(artifact: Artifact, outputs: np.ndarray) -> None:
    from sklearn.metrics import mean_absolute_error, r2_score

    targets = outputs + np.random.default_rng(0).normal(0, 1, outputs.shape)
    found = evaluate(artifact, replace(tiny_samples(ROWS), targets=targets))
    assert isinstance(found.figures, TaskFigures)
    assert found.figures.task == "regression"
    values = {metric.name: metric for metric in found.figures.metrics}
    assert values["mae"].value == pytest.approx(mean_absolute_error(targets, outputs), rel=1e-5)
    assert values["r2"].value == pytest.approx(r2_score(targets, outputs), rel=1e-5)
    assert values["mae"].low is not None
    assert values["mae"].low < values["mae"].value
    assert not values["mae"].higher_is_better
    assert found.facts[0][1].endswith(f"n={ROWS}")
    assert [row[0] for row in found.tables[0].rows] == [metric.title for metric in found.figures.metrics]


def test_one_metric_that_is_named_and_a_users_own(artifact: Artifact, outputs: np.ndarray, tmp_path: Path) -> None:
    labels = outputs.argmax(1)
    labels[:12] = (labels[:12] + 1) % CLASSES
    samples = replace(tiny_samples(ROWS), targets=labels)
    found = evaluate(artifact, samples, limits=Limits(metric="top5"))
    assert [metric.name for metric in found.figures.metrics] == ["top5"]
    (tmp_path / "mine.py").write_text("def right(outputs, targets):\n    return outputs.argmax(1) == targets\nright.unit = 'points'\n")
    own = evaluate(artifact, samples, limits=Limits(metric=f"{tmp_path / 'mine.py'}:right"))
    assert own.figures.metrics[0].value == pytest.approx(0.9)
    assert own.facts[0] == ("right [95 %]", "90.00 % [83.33 % to 94.19 %], n=120")


def test_a_classifier_of_several_outputs_has_its_metrics(artifact: Artifact, outputs: np.ndarray) -> None:
    """What is told of classes alone is of one output whose classes are counted."""
    free = replace(artifact.manifest.signature.outputs[0], shape=("batch", "classes"))
    signature = replace(artifact.manifest.signature, outputs=(free,))
    made = replace(artifact, manifest=replace(artifact.manifest, signature=signature, task="classification"))
    assert classes_of(made) is None
    found = evaluate(made, replace(tiny_samples(ROWS), targets=outputs.argmax(1)))
    assert found.figures.metrics[0].value == 1


def test_nothing_that_says_what_outputs_mean_and_no_targets(artifact: Artifact) -> None:
    narrow = replace(artifact, manifest=replace(artifact.manifest, task="any"))
    with pytest.raises(DataError, match="nothing says what the outputs of 'onnx-fp32' mean: expected --task"):
        evaluate(narrow, replace(tiny_samples(ROWS), targets=np.zeros((ROWS, 3, 3))))
    with pytest.raises(DataError, match="have no targets: expected for regression and forecasting: "):
        evaluate(artifact, Samples(tiny_samples(ROWS).inputs, None, "s.npz"), limits=Limits(task="regression"))


def test_a_page_without_pictures_has_no_heading_for_them(artifact: Artifact, outputs: np.ndarray, tmp_path: Path) -> None:
    found = evaluate(artifact, replace(tiny_samples(ROWS), targets=outputs.astype(np.float64)))
    write_evaluation(found, tmp_path / "page")
    page = (tmp_path / "page" / PAGE).read_text()
    assert "Pictures" not in page
    assert "<h2" in page
    assert (text.sentence("mAP at IoU 0.5"), text.sentence("mean IoU"), text.sentence("")) == ("mAP at IoU 0.5", "Mean IoU", "")
