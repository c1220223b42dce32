"""Autoencoders, generators and texts through their deployed files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner

from tests.models.test_texts import reviews
from tests.pages import browser, faults_of_file
from tests.tiny import tiny_artifact, tiny_samples
from toolkit.cli import toolkit
from toolkit.core import Artifact, DataError, InputError, Samples
from toolkit.models import find_model
from toolkit.models.data import find_data
from toolkit.models.training import train
from toolkit.pipeline.evaluate import Evaluation, autoencoder, evaluate, generator
from toolkit.pipeline.evaluate.page import PAGE, write_evaluation
from toolkit.pipeline.source.samples import split_samples
from toolkit.runtimes import open_session
from toolkit.tasks import Limits

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["browser", "reviews"]


def trained(name: str, out: Path, **changes: object) -> Artifact:
    model, data = find_model(name), find_data("digits")
    return train(model, data, recipe=replace(model.recipe("digits"), **changes), out=out / name).artifact  # type: ignore[arg-type]


def judged(artifact: Artifact, page: Path, browser: Browser, samples: Samples | None = None) -> Evaluation:
    found = evaluate(artifact, samples or split_samples(artifact, None).evaluation)
    write_evaluation(found, page)
    assert (page / PAGE).is_file()
    assert json.loads((page / "evaluation.json").read_text())["model"] == artifact.manifest.model
    assert faults_of_file(browser, page / PAGE) == []
    return found


def test_an_autoencoder(browser: Browser, tmp_path: Path) -> None:
    artifact = trained("autoencoder", tmp_path, epochs=8, hold_out="0")
    found = judged(artifact, tmp_path / "page", browser)
    figures = found.figures
    assert isinstance(figures, autoencoder.AutoencoderFigures)
    test = find_data("digits").load("test")
    assert test.targets is not None
    with open_session(artifact) as session:
        (back,) = session.run(test.inputs["image"])
    errors = np.square(back - test.inputs["image"]).mean(axis=(1, 2, 3))
    strange, usual = errors[test.targets == 0], errors[test.targets != 0]
    assert figures.error.value == pytest.approx(usual.mean(), rel=1e-4)
    assert figures.error.low < figures.error.value < figures.error.high
    assert figures.anomaly_auc == pytest.approx((strange[:, None] > usual[None]).mean(), abs=1e-6)  # Mann and Whitney 1947
    assert [c.label for c in figures.classes] == list("0123456789")
    with pytest.raises(DataError, match=r"no class labels: .*got float64\[40,10\]"):
        evaluate(artifact, replace(test.rows(slice(40)), targets=np.eye(40, 10)))
    assert {path.stem for path in (tmp_path / "page").glob("*.png")} == {"errors", "reconstructions", "worst"}


def test_what_gives_back_no_input_is_no_autoencoder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is no autoencoder: expected an output of the shape of the only input, got \("):
        evaluate(tiny_artifact(tmp_path / "onnx-fp32"), tiny_samples(20), limits=Limits(task="autoencoding"))


@pytest.mark.slow
def test_a_generator(browser: Browser, tmp_path: Path) -> None:
    artifact = trained("conditional-gan", tmp_path, epochs=3)
    found = judged(artifact, tmp_path / "page", browser)
    figures = found.figures
    assert isinstance(figures, generator.GeneratorFigures)
    assert figures.frechet_distance is not None
    assert figures.between_real is not None
    assert 0 < figures.between_real < figures.frechet_distance
    assert {path.stem for path in (tmp_path / "page").glob("*.png")} == {"sampled"}
    told = CliRunner().invoke(toolkit, ["evaluate", str(artifact.path), "--evaluation", "300"])
    assert told.exit_code == 0, told.output
    assert "n=300" in told.output


@pytest.mark.slow
def test_what_is_of_no_kind(tmp_path: Path) -> None:
    trained("conditional-gan", tmp_path, epochs=1)
    judge = Artifact.load(tmp_path / "conditional-gan-discriminator" / "pt2-fp32")
    samples = split_samples(judge, None, evaluation=40).evaluation
    assert set(samples.inputs) == {"image", "label"}, "the labels are an input of it"
    with pytest.raises(DataError, match=r"nothing says what the outputs of 'pt2-fp32' mean: .*got score:float32\[batch\]"):
        evaluate(judge, samples)


def test_a_text_net_shows_its_sentences(browser: Browser, reviews: Path, tmp_path: Path) -> None:
    model, data = find_model("text-cnn"), find_data("movie-reviews")
    recipe = replace(model.recipe(data.name), epochs=10, batch_size=8, learning_rate=1e-2)
    artifact = train(model, data, recipe=recipe, out=tmp_path / "text-cnn", data_folder=reviews).artifact
    samples = data.load("test", reviews)
    assert samples.targets is not None
    turned = replace(samples, targets=np.where(np.arange(len(samples)) == 0, 1 - samples.targets, samples.targets))
    found = judged(artifact, tmp_path / "page", browser, turned)
    right, wrong = found.tables[1:]
    assert (right.title, wrong.title) == ("Right, of the highest confidence", "Wrong, of the highest confidence")
    words = data.preparation(reviews).vocabulary
    assert words is not None
    assert [row[0] for row in wrong.rows] == [words.decode(samples.inputs["tokens"][0])], "the one whose label was turned"
    assert wrong.prose
