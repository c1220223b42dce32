"""Detection: counted as pycocotools counts it, from every layout of outputs."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tests.tasks.examples import EXAMPLES, signature
from toolkit.core import DataError, Signature, TensorSpec
from toolkit.tasks import find_task, paired_loss, task_of
from toolkit.tasks._boxes import Detections, overlaps

TASK = find_task("detection")
MAP50, MAP = TASK.metrics


def _coco(found: Detections, targets: np.ndarray) -> tuple[float, float]:
    """mAP at IoU 0.5, and over 0.5 to 0.95, as pycocotools says; -1 where there is nothing to find."""

    def box(corners: np.ndarray) -> list[float]:
        left, top, right, bottom = map(float, corners)
        return [left, top, right - left, bottom - top]

    boxes = [(image, row) for image, rows in enumerate(targets) for row in rows if row[0] >= 0]
    truth = COCO()
    truth.dataset = {
        "images": [{"id": image} for image in range(len(targets))],
        "categories": [{"id": label} for label in range(3)],
        "annotations": [
            {"id": number, "image_id": image, "category_id": int(row[0]), "bbox": box(row[1:]), "area": 1.0, "iscrowd": 0}
            for number, (image, row) in enumerate(boxes, 1)
        ],
    }
    columns = zip(found.image, found.label, found.score, found.box, strict=True)
    results: list[dict[str, Any]] = [
        {"image_id": int(image), "category_id": int(label), "score": float(score), "bbox": box(corners)}
        for image, label, score, corners in columns
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        judge = COCOeval(truth, truth.loadRes(results) if results else COCO(), "bbox")
        judge.params.areaRng, judge.params.areaRngLbl, judge.params.maxDets = [[0, 1e10]], ["all"], [100]
        judge.evaluate()
        judge.accumulate()
    precision = judge.eval["precision"][:, :, :, 0, 0]
    defined = precision[0] > -1
    return float(precision[0][defined].mean()) if defined.any() else -1.0, float(
        precision[precision > -1].mean()
    ) if defined.any() else -1.0


def _case(random: np.random.Generator) -> tuple[Detections, np.ndarray]:
    """A few images whose boxes overlap, with ties of scores and of overlaps."""
    images, most = int(random.integers(1, 5)), int(random.integers(1, 7))
    grid = int(random.choice([1, 8]))
    targets = np.zeros((images, most, 5))
    targets[:, :, 0] = random.integers(-1, 3, (images, most))
    targets[:, :, 1:3] = grid * random.integers(0, 40 // grid, (images, most, 2))
    targets[:, :, 3:] = targets[:, :, 1:3] + grid * random.integers(1, 24 // grid + 1, (images, most, 2))
    count = int(random.integers(0, 16))
    image, place = random.integers(0, images, count), random.integers(0, most, count)
    box = targets[image, place, 1:] + random.choice([0, 1, 2, 4, 8], size=(count, 1)) * random.integers(-1, 2, (count, 4))
    box[:, 2:] = np.maximum(box[:, 2:], box[:, :2] + 1)
    label = np.where(random.random(count) < 0.8, targets[image, place, 0], random.integers(0, 3, count)).astype(np.int64)
    score = random.integers(1, 10, count) / 10 if random.random() < 0.5 else random.random(count)
    order = np.lexsort((-score, image))
    every = Detections(images, image[order], label[order], score[order], box[order])
    return every.where(every.label >= 0), targets


def test_metrics_equal_pycocotools() -> None:
    random, defined = np.random.default_rng(0), 0
    for _ in range(500):
        found, targets = _case(random)
        expected = _coco(found, targets)
        actual = [MAP50.score(found, targets).value, MAP.score(found, targets).value]
        if expected[0] == -1:
            assert np.isnan(actual).all()
        else:
            defined += 1
            np.testing.assert_allclose(actual, expected, atol=1e-6)
    assert defined > 400


def test_more_than_a_hundred_of_a_class_in_an_image() -> None:
    random = np.random.default_rng(0)
    corners = random.uniform(0, 400, (1, 150, 2))
    boxes = np.concatenate([corners, corners + 30], axis=2)
    targets = np.concatenate([np.zeros((1, 150, 1)), boxes], axis=2)
    found = TASK.predictions({"boxes": boxes, "scores": random.random((1, 150)), "labels": np.zeros((1, 150), dtype=np.int64)})
    assert len(found.score) == 150
    np.testing.assert_allclose([MAP50.score(found, targets).value, MAP.score(found, targets).value], _coco(found, targets), atol=1e-6)


def test_overlaps_are_of_widths_without_a_pixel_more() -> None:
    shared = overlaps(np.array([[0.0, 0, 10, 10]]), np.array([[0.0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10], [3, 3, 3, 3]]))
    np.testing.assert_allclose(shared, [[1, 1 / 3, 0, 0]])


CORNERS = np.array([[[10, 20, 30, 60], [11, 20, 31, 60], [100, 100, 140, 120]]], dtype=np.float32)
SCORES = np.array([[[0.9, 0.0], [0.8, 0.0], [0.0005, 0.7]]], dtype=np.float32)


def _yolo(corners: np.ndarray, scores: np.ndarray, *, cells: int = 400) -> np.ndarray:
    """``[N, 4 + C, cells]``."""
    centre, size = (corners[:, :, :2] + corners[:, :, 2:]) / 2, corners[:, :, 2:] - corners[:, :, :2]
    output = np.concatenate([centre, size, scores], axis=2).transpose(0, 2, 1)
    return np.pad(output, ((0, 0), (0, 0), (0, cells - output.shape[2])))


def _layouts() -> dict[str, dict[str, np.ndarray]]:
    """The same detections as each layout gives them; the second box overlaps the first, which is better."""
    channels = _yolo(CORNERS, SCORES)
    coco = np.pad(SCORES, ((0, 0), (0, 0), (0, 78)))
    objectness = np.full((1, 3, 1), 0.5, dtype=np.float32)
    rows = np.concatenate([CORNERS, SCORES.max(axis=2)[:, :, None], SCORES.argmax(axis=2)[:, :, None]], axis=2)[:, [0, 2]]
    best, label = SCORES.max(axis=2), SCORES.argmax(axis=2)
    return {
        "channels first": {"output": channels},
        "channels last": {"output": channels.transpose(0, 2, 1)},
        "objectness": {"output": _yolo(CORNERS, np.concatenate([objectness, 2 * coco], axis=2), cells=400).transpose(0, 2, 1)},
        "finished rows": {"output": rows},
        "boxes and scores of classes": {"scores": SCORES, "boxes": CORNERS},
        "boxes, scores and classes": {"boxes": CORNERS[:, [0, 2]], "labels": label[:, [0, 2]], "scores": best[:, [0, 2]]},
        "classes by name": {"classes": label[:, [0, 2]].astype(np.float32), "boxes": CORNERS[:, [0, 2]], "scores": best[:, [0, 2]]},
        "a count": {
            "boxes": CORNERS[:, [0, 2, 1]], "scores": best[:, [0, 2, 1]], "labels": label[:, [0, 2, 1]], "num": np.array([2.0])
        },
    }  # fmt: skip


@pytest.mark.parametrize("layout", _layouts())
def test_layouts(layout: str) -> None:
    found = TASK.predictions(_layouts()[layout])
    assert found.images == 1
    assert found.label.tolist() == [0, 1]
    np.testing.assert_allclose(found.score, [0.9, 0.7], rtol=1e-6)
    np.testing.assert_allclose(found.box, CORNERS[0, [0, 2]])


def test_suppression_is_left_to_a_network_that_names_classes() -> None:
    boxes = {"boxes": CORNERS, "scores": np.array([[0.9, 0.8, 0.7]]), "labels": np.zeros((1, 3), dtype=np.int64)}
    assert len(TASK.predictions(boxes).score) == 3


def test_suppression_block_by_block_is_that_of_one_matrix() -> None:
    random = np.random.default_rng(0)
    corners = random.uniform(0, 60, (1, 3000, 2))
    boxes = np.concatenate([corners, corners + random.uniform(20, 30, (1, 3000, 2))], axis=2)
    scores = random.random((1, 3000, 1))
    found = TASK.predictions({"boxes": boxes, "scores": scores})
    kept: list[int] = []
    for place in np.argsort(-scores[0, :, 0]):
        if len(kept) < 300 and not (overlaps(boxes[0, [place]], boxes[0, kept]) > 0.7).any():
            kept.append(place)
    np.testing.assert_array_equal(found.box, boxes[0, kept])


def test_nothing_is_found_and_nothing_is_there() -> None:
    none = TASK.predictions({"output": np.zeros((3, 6, 20), dtype=np.float32)})
    padding = np.full((3, 2, 5), -1.0)
    assert np.isnan(MAP50.score(none, padding).value)
    something = padding.copy()
    something[1, 0] = [1, 10, 10, 20, 20]
    assert MAP50.score(none, something).value == 0
    np.testing.assert_array_equal(TASK.as_targets(none)[:, :, 0], -1)


def test_what_is_no_box_is_not_found() -> None:
    boxes = np.array([[[0, 0, np.nan, 10], [5, 5, 5, 9], [9, 9, 2, 2], [0, 0, np.inf, 5], [1, 1, 4, 4]]])
    scores = np.array([[0.9, 0.9, 0.9, 0.9, np.nan]])
    assert len(TASK.predictions({"boxes": boxes, "scores": scores, "labels": np.zeros((1, 5), dtype=np.int64)}).score) == 0


@pytest.mark.parametrize(("scale", "kept"), [(1.0, 2), (0.1, 1)])
def test_a_reference_is_perfect_by_its_own_answers(scale: float, kept: int) -> None:
    """Those it is sure of; where there are none, the strongest tenth."""
    found = TASK.predictions({"output": _yolo(CORNERS, scale * SCORES)})
    own = TASK.as_targets(found)
    assert (own[:, :, 0] >= 0).sum() == kept
    assert MAP50.score(found, own).value == MAP.score(found, own).value == 1


def test_scores_of_zero_lose_everything() -> None:
    """An int8 detector with 51 dB whose scores have all become 0."""
    random = np.random.default_rng(0)
    corners = random.uniform(0, 100, (40, 30, 2))
    corners = np.concatenate([corners, corners + random.uniform(10, 50, (40, 30, 2))], axis=2)
    scores = random.random((40, 30, 2))
    reference, candidate = (TASK.predictions({"output": _yolo(corners, factor * scores, cells=50)}) for factor in (1, 0))
    own = TASK.as_targets(reference)
    loss = paired_loss(MAP50, MAP50.score(reference, own), MAP50.score(candidate, own))
    assert (loss.reference, loss.candidate, loss.differing) == (1, 0, 40)
    assert loss.drop.low > 90


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([0, 10, 10, 5, 20], "end is before its start"),
        ([0, 10, 10, 20, np.nan], "not finite"),
        ([0.5, 10, 10, 20, 20], "no whole number"),
        ([-2, 10, 10, 20, 20], "no whole number"),
        ([7, 10, 10, 20, 20], "the network does not have"),
    ],
)
def test_targets_that_are_refused(row: list[float], message: str) -> None:
    given = signature(output=("float32", (6, 100)))
    fine = np.array([[[1, 10, 10, 20, 20], [-1, 0, 0, 0, 0]]], dtype=np.float32)
    TASK.check(given, fine, "photos")
    with pytest.raises(DataError, match=message):
        TASK.check(given, np.concatenate([fine, np.array([[row, row]])]), "photos")


def test_shapes_that_are_refused() -> None:
    boxes = np.zeros((2, 3, 5))
    with pytest.raises(DataError, match=r"no boxes.*got float64\[2, 3\]"):
        TASK.check(signature(output=("float32", (6, 100))), boxes[:, :, 0], "photos")
    with pytest.raises(DataError, match="the outputs are no detections"):
        TASK.check(signature(output=("float32", (10,))), boxes, "photos")
    with pytest.raises(DataError, match="the outputs are no detections"):
        TASK.check(signature(output=("float32", (4, 100))), boxes, "photos")


def test_fits_by_targets_never_by_the_signature_alone() -> None:
    given = signature(output=("float32", (84, 8400)))
    assert not TASK.fits(given, None)
    assert not TASK.fits(given, np.zeros((2,), dtype=np.int64))
    assert TASK.fits(given, np.zeros((2, 3, 5)))
    assert TASK.fits(signature(boxes=("float32", (100, 4)), scores=("float32", (100, 3))), np.zeros((2, 3, 5)))
    assert not TASK.fits(given, np.full((2, 3, 5), 0.5))
    assert not TASK.fits(signature(output=("float32", (10,))), np.zeros((2, 3, 5)))


def test_boxes_in_pixels_beside_probabilities_show_a_detector_where_there_are_no_targets() -> None:
    example = EXAMPLES["detection"](np.random.default_rng(0))
    assert task_of(example.signature, None, example.outputs) is TASK
    assert task_of(example.signature, None) is None
    (output,) = example.outputs.values()
    turned = Signature(example.signature.inputs, (TensorSpec("output", "float32", ("batch", 40, 7)),))
    assert task_of(turned, None, {"output": output.transpose(0, 2, 1)}) is TASK
    numbers = output.astype(np.float64)
    assert task_of(example.signature, numbers, example.outputs) is find_task("regression"), "targets tell"
    for other in (
        output * np.array([1, 1, 1, 1, 0.2, 0.2, 0.2])[None, :, None],
        output / 300,
        output - 0.1,
        np.where(np.arange(7)[None, :, None] > 3, 0, output),
        output[:, :4],
    ):
        assert task_of(example.signature, None, {"output": other.astype(np.float32)}) is None
