"""What a deployed classifier is worth, from its engine's own answers."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tests.conftest import Trained
from toolkit.cli import toolkit
from toolkit.core import Artifact, DataError, Samples, wilson
from toolkit.models.data import find_data
from toolkit.pipeline.evaluate import Evaluation, evaluate
from toolkit.pipeline.evaluate.classifier_figures import ClassifierFigures, Predictions, curves, figures_of
from toolkit.pipeline.evaluate.page import FIGURES, PAGE, write_evaluation
from toolkit.runtimes import open_session


@pytest.fixture(scope="module")
def int8(trained_cnn: Trained) -> Artifact:
    return Artifact.load(trained_cnn.bundle / "onnx-int8")


@pytest.fixture(scope="module")
def samples() -> Samples:
    return find_data("digits").load("test").fit(find_data("digits").signature)


@pytest.fixture(scope="module")
def found(int8: Artifact, samples: Samples) -> Evaluation:
    return evaluate(int8, samples)


def test_the_figures_are_those_of_the_deployed_artifact(int8: Artifact, samples: Samples, found: Evaluation) -> None:
    """Everything again, from the session's own answers and from the definitions."""
    evaluation = found.figures
    assert isinstance(evaluation, ClassifierFigures)
    with open_session(int8) as session:
        (logits,) = session.run(samples.inputs["image"])
    truth, predicted = samples.targets, logits.argmax(axis=1)
    assert truth is not None
    assert evaluation.accuracy == wilson(int((truth == predicted).sum()), len(truth))
    assert 0.9 < evaluation.accuracy.value < 1
    confusion = np.zeros((10, 10), int)
    np.add.at(confusion, (truth, predicted), 1)
    np.testing.assert_array_equal(np.array(evaluation.confusion), confusion)
    right = np.diag(confusion)
    np.testing.assert_allclose([c.precision for c in evaluation.classes], right / confusion.sum(axis=0))
    np.testing.assert_allclose([c.recall for c in evaluation.classes], right / confusion.sum(axis=1))
    np.testing.assert_allclose([c.f1 for c in evaluation.classes], 2 * right / (confusion.sum(axis=0) + confusion.sum(axis=1)))
    chances = np.exp(logits - logits.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    assert evaluation.log_loss == pytest.approx(-np.log(chances[np.arange(len(truth)), truth]).mean(), rel=1e-4)
    first, others = chances[truth == 3, 3], chances[truth != 3, 3]
    wins = (first[:, None] > others[None]).mean() + (first[:, None] == others[None]).mean() / 2
    assert evaluation.classes[3].roc_auc == pytest.approx(wins, abs=1e-6)  # Mann and Whitney 1947
    assert sorted(evaluation.mistakes) == np.flatnonzero(truth != predicted).tolist()
    sure = chances.max(axis=1)[list(evaluation.mistakes)]
    assert (np.diff(sure) <= 1e-6).all()
    assert sum(b.samples for b in evaluation.calibration) == len(truth)


def predictions(probabilities: list[list[float]], targets: list[int]) -> Predictions:
    values = np.array(probabilities)
    return Predictions(Samples({"x": values}, np.array(targets)), values, np.array(targets), ("a", "b", "c"))


def test_the_calibration_error_of_a_known_case() -> None:
    """Four answers at 0.8 of which two are right: off by 0.3; a class that no sample has counts nowhere."""
    case = predictions([[0.8, 0.1, 0.1]] * 2 + [[0.1, 0.8, 0.1]] * 2, [0, 1, 1, 0])
    figures = figures_of(case)
    assert figures.ece == pytest.approx(0.3)
    assert (figures.accuracy.value, figures.macro_f1) == (0.5, 0.5)
    assert figures.classes[2].roc_auc is None
    assert figures.roc_auc == pytest.approx(0.5)
    assert curves(case, 2) is None


@pytest.mark.parametrize(
    ("targets", "line"),
    [
        (None, "have no labels"),
        (np.array([0, 10]), "unknown labels: expected 0 to 9, got 10"),
        (np.array([-1, 0]), "unknown labels: expected 0 to 9, got -1"),
        (np.array([0.0, 1.0]), "no class labels: expected a whole number from 0 to 9"),
        (np.eye(2, 10), "of one-hot rows"),
    ],
)
def test_labels_that_do_not_fit_are_refused(int8: Artifact, samples: Samples, targets: np.ndarray | None, line: str) -> None:
    with pytest.raises(DataError, match=line):
        evaluate(int8, Samples({"image": samples.inputs["image"][:2]}, targets))


class _Images(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.sources += [str(found["src"])] if tag == "img" else []
        assert tag not in {"script", "link"}, "the page needs nothing else"


def test_the_page_stands_alone(found: Evaluation, tmp_path: Path) -> None:
    write_evaluation(found, tmp_path / "out")
    pictures = {path.stem for path in (tmp_path / "out").glob("*.png")}
    assert pictures == {"confusion", "curves", "calibration", "mistakes"}
    page = (tmp_path / "out" / PAGE).read_text()
    parser = _Images()
    parser.feed(page)
    assert isinstance(found.figures, ClassifierFigures)
    assert len(parser.sources) == min(24, len(found.figures.mistakes))
    assert page.count("<svg") == 6, "three charts, each for a wide and a narrow page"
    assert all(source.startswith("data:image/png;base64,") for source in parser.sources)
    assert f"{100 * found.figures.accuracy.value:.2f} %" in page
    assert json.loads((tmp_path / "out" / FIGURES).read_text())["samples"] == found.run.samples


def test_the_command(int8: Artifact, tmp_path: Path) -> None:
    words = ["evaluate", str(int8.path), "--evaluation", "100"]
    table = CliRunner().invoke(toolkit, [*words, "--out", str(tmp_path / "page")])
    assert table.exit_code == 0, table.output
    assert "n=100" in table.output
    assert (tmp_path / "page" / PAGE).is_file()
    told = json.loads(CliRunner().invoke(toolkit, [*words, "--engine", "onnxruntime", "--json"]).stdout)
    assert (told["samples"], told["engine"], told["artifact"]) == (100, "onnxruntime", "onnx-int8")


def test_class_names_of_the_user(int8: Artifact, tmp_path: Path) -> None:
    words = ["evaluate", str(int8.path), "--evaluation", "50", "--json", "--labels"]
    (tmp_path / "names.txt").write_text("\n".join(f"digit {number}" for number in range(10)))
    told = json.loads(CliRunner().invoke(toolkit, [*words, str(tmp_path / "names.txt")]).stdout)
    assert [each["label"] for each in told["classes"]] == [f"digit {number}" for number in range(10)]
    refused = CliRunner().invoke(toolkit, [*words, "cat,dog"])
    assert "--labels: expected 10 names, one for each class, got 2: cat, dog" in str(refused.exception)
