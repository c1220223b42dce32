"""What is seen of a task: each picture from answers whose look is known."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.pages import browser, faults_of_file
from tests.tasks.examples import EXAMPLES
from tests.tiny import tiny_artifact
from toolkit.core import Artifact, Samples
from toolkit.pipeline.evaluate.base import Answers, EvaluatedRun, Evaluation
from toolkit.pipeline.evaluate.drawing import Picture, tile_of
from toolkit.pipeline.evaluate.page import PAGE, write_evaluation
from toolkit.pipeline.evaluate.task_pictures import task_pictures, task_tables
from toolkit.tasks import find_task

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["browser"]

RUN = EvaluatedRun("onnx-fp32", "net", "onnxruntime", "cpu", "fp32", "mine", 12)
GREEN, ORANGE = (0.16, 0.6, 0.24), (0.93, 0.45, 0.05)


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    return tiny_artifact(tmp_path / "net")


def pictured(name: str, artifact: Artifact, side: int = 8) -> list[Any]:
    example = EXAMPLES[name](np.random.default_rng(0))
    inputs = {"image": np.random.default_rng(1).random((len(example.targets), 3, side, side), np.float32)}
    task = find_task(name)
    return task_pictures(
        task, Answers(RUN, Samples(inputs, example.targets), {}), task.predictions(example.outputs), example.targets, artifact
    )


def pixels(image: bytes) -> np.ndarray:
    from matplotlib.image import imread

    found: np.ndarray = imread(io.BytesIO(image))[..., :3]
    return found


@pytest.mark.parametrize(("name", "picture"), [("regression", "residuals"), ("tagging", "tags")])
def test_charts(name: str, picture: str, artifact: Artifact) -> None:
    (drawn,) = pictured(name, artifact)
    assert drawn.name == picture
    assert len(drawn.drawings) == 2
    assert drawn.png.startswith(b"\x89PNG")


@pytest.mark.parametrize(("name", "above"), [("segmentation", 3), ("reconstruction", 3), ("detection", 1), ("keypoints", 1)])
def test_tiles(name: str, above: int, artifact: Artifact) -> None:
    (drawn,) = pictured(name, artifact)
    (row,) = drawn.rows
    assert [len(tile.images) for tile in row.tiles] == [above] * 12


@pytest.mark.parametrize("name", ["segmentation", "reconstruction", "detection", "keypoints", "regression", "tagging", "translation"])
def test_a_page_is_seen_on_every_screen_and_says_what_is_not(name: str, artifact: Artifact, browser: Browser, tmp_path: Path) -> None:
    """Pictures had no words for those who do not see them, and were 31 pixels wide on a phone; a text stood letter below letter there."""
    words = tuple(f"a name {number} to read" for number in range(50))
    artifact = replace(artifact, manifest=replace(artifact.manifest, labels=words))
    example, task = EXAMPLES[name](np.random.default_rng(0)), find_task(name)
    predictions = task.predictions(example.outputs)
    tables = task_tables(task, predictions, example.targets, artifact)
    found = Evaluation(RUN, {}, (("metric [95 %]", "62.1 %"),), tuple(tables), lambda: pictured(name, artifact, side=96))
    write_evaluation(found, tmp_path / "page")
    assert faults_of_file(browser, tmp_path / "page" / PAGE) == []


def shades(picture: Picture) -> list[list[float]]:
    """How light each image of each tile is."""
    (row,) = picture.rows
    return [[float(pixels(image).mean()) for image in tile.images] for tile in row.tiles]


def test_pictures_beside_each_other_have_one_scale(artifact: Artifact) -> None:
    """Each was stretched from its own darkest to its own lightest, so that a flat result looked like the true picture."""
    true = np.random.default_rng(0).random((12, 3, 16, 16), np.float32)
    task = find_task("reconstruction")
    for unit, dtype in ((1, np.float32), (255, np.uint8)):
        targets, given = (unit * true).astype(dtype), Samples({"image": true}, (unit * true).astype(dtype))
        (drawn,) = task_pictures(task, Answers(RUN, given, {}), unit * (0.1 * true + 0.2), targets, artifact)
        np.testing.assert_allclose(shades(drawn), [[0.5, 0.5, 0.25]] * 12, atol=0.06)


def test_the_colours_of_classes_have_names(artifact: Artifact, tmp_path: Path) -> None:
    (drawn,) = pictured("segmentation", replace(artifact, manifest=replace(artifact.manifest, labels=("road", "tree", "sky"))))
    assert [word for _, word in drawn.legend] == ["road", "tree", "sky", "class 3"]
    write_evaluation(Evaluation(RUN, {}, (), (), lambda: [drawn]), tmp_path / "page")
    assert f'<i style="background:{drawn.legend[1][0]}"></i>tree' in (tmp_path / "page" / PAGE).read_text()


def test_a_large_picture_is_as_large_as_it_is_shown() -> None:
    tile = tile_of(np.zeros((480, 640, 3)))
    assert pixels(tile.images[0]).shape == (120, 160, 3)
    assert not tile.coarse
    assert tile_of(np.zeros((8, 8))).coarse


def test_what_the_images_of_a_tile_are(artifact: Artifact, tmp_path: Path) -> None:
    write_evaluation(Evaluation(RUN, {}, (), (), lambda: pictured("segmentation", artifact)), tmp_path / "page")
    words = re.findall(r'alt="([^"]*)"', (tmp_path / "page" / PAGE).read_text())
    assert words[:3] == ["image 1 of 12", "actual classes of image 1 of 12", "predicted classes of image 1 of 12"]
    assert len(set(words)) == len(words) == 36


def test_boxes_are_where_they_are(artifact: Artifact) -> None:
    targets = np.zeros((1, 1, 5))
    targets[0, 0] = 1, 10, 20, 50, 60
    output = np.zeros((1, 6, 30), np.float32)
    output[0, :, 0] = 60, 40, 40, 40, 0, 0.9
    task = find_task("detection")
    inputs = {"image": np.full((1, 3, 100, 100), 0.5, np.float32)}
    answers = Answers(RUN, Samples(inputs, targets), {})
    (drawn,) = task_pictures(task, answers, task.predictions({"output": output}), targets, artifact)
    (tile,) = drawn.rows[0].tiles
    assert tile.words == ("actual 1", "predicted 1")
    image = pixels(tile.images[0])
    assert np.allclose(image[20, 10], GREEN, atol=0.01)
    assert np.allclose(image[40, 80], ORANGE, atol=0.01)
    assert np.ptp(image[30, 30]) == 0, "inside it is the picture"


def test_a_detector_without_pictures_has_none(artifact: Artifact) -> None:
    example = EXAMPLES["detection"](np.random.default_rng(0))
    task, answers = find_task("detection"), Answers(RUN, Samples({"x": np.zeros((12, 5))}, example.targets), {})
    assert task_pictures(task, answers, task.predictions(example.outputs), example.targets, artifact) == []


def test_texts_stand_beside_each_other(artifact: Artifact) -> None:
    named = replace(artifact, manifest=replace(artifact.manifest, labels=tuple("-abcde")))
    targets = np.array([[1, 2, -1], [3, -1, -1]])
    (table,) = task_tables(find_task("transcription"), [[1, 1], []], targets, named)
    assert table.rows == (("ab", "aa"), ("c", "–"))
    assert table.title == "Texts"
    (numbers,) = task_tables(find_task("transcription"), [[1, 1], []], targets, artifact)
    assert (numbers.title, numbers.rows[0]) == ("Tokens", ("1 2", "1 1"))
    assert task_tables(find_task("regression"), [], targets, named) == []
