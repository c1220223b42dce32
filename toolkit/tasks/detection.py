"""Object detection, judged as COCO does.

Layouts of outputs that are read, boxes in the pixels of the targets:

- one output ``[N, 4 + C, cells]`` or ``[N, cells, 4 + C]`` (YOLOv8 and later): centre, width, height and the scores of C classes as
  probabilities; the axis of channels is the shorter one;
- one output ``[N, cells, 85]`` (YOLOv5 on COCO) with an objectness as the fifth channel, by which the 80 scores are multiplied. Another
  number of channels does not tell 4 + C from 5 + (C - 1), and is read as the former: a YOLOv5 of other classes has to be exported with its
  objectness multiplied in;
- one output ``[N, M, 6]`` of at most 300 rows (YOLOv10, or exported with its suppression): corners, score and class;
- several outputs: corners ``[N, M, 4]`` with scores ``[N, M, C]``, or with scores ``[N, M]`` and classes ``[N, M]``, and the number of rows
  that are meant where an output ``[N]`` says it. Classes are those of whole numbers, or called so, else the second output ``[N, M]``.

Scores of at least 0.001 count, boxes of one class that overlap by more than 0.7 are one unless the network gives classes and so has done
this itself, and the best 300 of an image are kept: what Ultralytics does to validate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from toolkit.core import Signature
from toolkit.core.mapped import in_memory, parts_of

from ._boxes import Detections, boxes_among, channels_of, detections_of, has_objectness, is_row, joined, overlaps
from ._ranked import interpolated_precision, running
from ._targets import PADDING, is_boxes, is_real, is_whole, refused
from .base import Metric, Scorer, Task, ratio

THRESHOLDS = np.linspace(0.5, 0.95, 10)
MOST_OF_A_CLASS = 100
"""How many detections of a class COCO looks at in an image."""
_LOOKED_AT, _PIXELS = 64, 4
"""How many images tell a detector's outputs from others, and what no probability is: the side of some box in each of them."""
SURE = 0.25
"""The score from which on a reference's detection is a target."""


@dataclass(frozen=True, eq=False)
class Ranked:
    """The detections of one class by falling score, up to the last that is right at any threshold.

    Args:
        image: of which image each is, ``[K]`` int64.
        right: whether each is a true positive at each threshold, ``[T, K]`` bool.
        actual: how many boxes each image has, ``[N]`` float64.
    """

    image: np.ndarray
    right: np.ndarray
    actual: np.ndarray

    def precision(self, rows: np.ndarray) -> np.ndarray:
        """The average precision at each threshold, ``[T, B]``, where image n counts ``rows[n, b]`` times."""
        hits = np.flatnonzero(self.right.any(axis=0))
        ranked, actual = running(rows, self.image, hits), self.actual @ rows
        result = np.empty((len(self.right), rows.shape[1]))
        for threshold, right in enumerate(self.right[:, hits]):
            image = self.image[hits[right]]
            found = running(rows, image, np.arange(len(image)))
            result[threshold] = interpolated_precision(found, ranked[right], actual)
        return result


@dataclass(frozen=True, eq=False)
class MeanPrecision(Scorer):
    """The mean over classes and thresholds of the average precision of some images; a class that none of them has is left out."""

    images: int
    classes: tuple[Ranked, ...]

    def __len__(self) -> int:
        return self.images

    def values(self, weights: np.ndarray) -> np.ndarray:
        """As `Scorer.values`."""
        total, classes = np.zeros(len(weights)), np.zeros(len(weights))
        rows = np.ascontiguousarray(weights.T)
        for one in self.classes:
            precision = one.precision(rows).mean(axis=0)
            defined = np.isfinite(precision)
            total += np.where(defined, precision, 0)
            classes += defined
        return ratio(total, classes)

    def differs(self, other: Scorer) -> np.ndarray:
        """As `Scorer.differs`: where the detections that count, in their order, are not right alike."""
        assert isinstance(other, MeanPrecision)
        unequal = np.zeros(len(self), dtype=bool)
        for one, two in zip(self.classes, other.classes, strict=True):
            mine, theirs = (np.column_stack([each.image, each.right.T])[np.argsort(each.image, kind="stable")] for each in (one, two))
            counts = [np.bincount(each.image, minlength=len(self)) for each in (one, two)]
            alike = counts[0] == counts[1]
            unequal |= ~alike
            mine, theirs = mine[alike[mine[:, 0]]], theirs[alike[theirs[:, 0]]]
            unequal[mine[(mine != theirs).any(axis=1), 0]] = True
        return unequal


def _precision(predicted: Detections, actual: np.ndarray, *, thresholds: np.ndarray) -> Scorer:
    rows = np.asarray(actual, dtype=np.float64)
    labels = np.unique(rows[:, :, 0])
    counted = predicted.where(predicted.ranks() < MOST_OF_A_CLASS)
    each = [_ranked(counted.where(counted.label == label), rows, rows[:, :, 0] == label, thresholds) for label in labels[labels >= 0]]
    return MeanPrecision(len(rows), tuple(each))


def _ranked(found: Detections, rows: np.ndarray, is_label: np.ndarray, thresholds: np.ndarray) -> Ranked:
    """Detections of one class, matched with the targets ``[N, M, 5]`` that `is_label` ``[N, M]`` says are of it."""
    right = np.zeros((len(thresholds), len(found.image)), dtype=bool)
    starts = np.searchsorted(found.image, np.arange(len(rows) + 1))
    for image in np.flatnonzero(is_label.any(axis=1) & (np.diff(starts) > 0)):
        part = slice(starts[image], starts[image + 1])
        right[:, part] = _matched(overlaps(found.box[part], rows[image, is_label[image], 1:]), thresholds)
    order = np.argsort(-found.score, kind="stable")
    right = right[:, order]
    last = np.flatnonzero(right.any(axis=0)).max(initial=-1) + 1
    return Ranked(found.image[order][:last], right[:, :last], is_label.sum(axis=1).astype(np.float64))


def _matched(shared: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Whether each of D detections by falling score finds a box that none before it has found, ``[T, D]``, from overlaps ``[D, G]``.

    Each takes the free box that it overlaps most, the last of equals, as pycocotools does.
    """
    least = np.minimum(thresholds, 1 - 1e-10)[:, None]
    matched = np.zeros((len(thresholds), len(shared)), dtype=bool)
    meets = shared >= least[0]
    alone = (meets.sum(axis=1) == 1) & (meets & (meets.sum(axis=0) == 1)).any(axis=1)
    matched[:, alone] = shared[alone].max(axis=1) >= least
    free = np.ones((len(thresholds), shared.shape[1]), dtype=bool)
    every = np.arange(len(thresholds))
    for place in np.flatnonzero(meets.any(axis=1) & ~alone):
        usable = np.where(free & (shared[place] >= least), shared[place], -1.0)
        best = shared.shape[1] - 1 - usable[:, ::-1].argmax(axis=1)
        matched[:, place] = usable[every, best] >= 0
        free[every, best] &= ~matched[:, place]
    return matched


class Detection(Task):
    """Boxes with a class and a score, judged by COCO's mean average precision."""

    name = "detection"
    title = "Object detection"
    targets = "boxes of each image, float[N, M, 5]: class, left, top, right, bottom in pixels; rows of class -1 are padding"
    shows_beside_targets = False
    agreement = "mAP at IoU 0.5 against the reference's detections"
    metrics = (
        Metric(name="map50", title="mAP at IoU 0.5", score=partial(_precision, thresholds=THRESHOLDS[:1])),
        Metric(name="map", title="mAP at IoU 0.5 to 0.95", score=partial(_precision, thresholds=THRESHOLDS)),
    )

    def fits(self, signature: Signature, targets: np.ndarray | None) -> bool:
        """Whether there are rows of a class and a box for each sample, and the outputs have a layout that is read."""
        return targets is not None and is_boxes(targets) and _classes_of(signature) is not None

    def shows(self, outputs: Mapping[str, np.ndarray]) -> bool:
        """Whether the only output is boxes in pixels and probabilities, by the values of its channels: no other task's are both. Something
        must have been found: where nothing was, there is nothing to agree on.
        """
        output = next(iter(outputs.values()))
        if len(outputs) != 1 or output.ndim != 3 or not len(output) or output.dtype.kind != "f" or is_row(output.shape):
            return False
        channels, last = channels_of(output.shape)
        cells = in_memory(output, slice(_LOOKED_AT)) if last else in_memory(output, slice(_LOOKED_AT)).transpose(0, 2, 1)
        if not 4 < channels < cells.shape[1]:
            return False
        size, scores = cells[:, :, 2:4], cells[:, :, 4:]
        probable = bool(((scores >= 0) & (scores <= 1)).all()) and bool((scores >= SURE).any())
        return probable and bool((size >= 0).all()) and bool((size > _PIXELS).any(axis=(1, 2)).all())

    def check(self, signature: Signature, targets: np.ndarray, origin: str) -> None:
        """As `Task.check`."""
        classes = _classes_of(signature)
        if classes is None:
            got = ", ".join(map(str, signature.outputs))
            expected = "an output [N, 4 + C, cells] or [N, cells, 4 + C], or boxes [N, M, 4] with scores"
            raise refused(origin, "are boxes, and the outputs are no detections", expected=expected, got=got, hint="name another task")
        if targets.ndim != 3 or targets.shape[2] != 5 or not (is_real(targets) or is_whole(targets)):
            raise refused(origin, "are no boxes", targets=targets, expected=self.targets)
        rows = targets[targets[:, :, 0] != PADDING].astype(np.float64)
        problem, wrong = _problem(rows, classes)
        if problem:
            below = f", classes below {classes}" if classes else ""
            expected = f"class, left, top, right, bottom with left <= right and top <= bottom{below}"
            hint = f"corners, not centre and size; rows that pad have class {PADDING}"
            raise refused(origin, f"have {problem}", expected=expected, got=f"[{', '.join(f'{value:g}' for value in wrong)}]", hint=hint)

    def predictions(self, outputs: Mapping[str, np.ndarray]) -> Detections:
        """The boxes with class and score."""
        if len({len(output) if output.ndim else -1 for output in outputs.values()}) > 1:
            return detections_of(outputs)
        return joined(detections_of(dict(zip(outputs, part, strict=True))) for part in parts_of(*outputs.values()))

    def as_targets(self, predictions: Detections) -> np.ndarray:
        """The detections with a score of at least 0.25, or where there is none, the strongest tenth; ``[N, M, 5]``."""
        counted: Any = predictions.where(predictions.ranks() < MOST_OF_A_CLASS)
        sure = counted.score >= SURE
        if len(sure) and not sure.any():
            sure = counted.score >= np.sort(counted.score)[-max(1, len(sure) // 10)]
        rows: np.ndarray = counted.where(sure).as_rows()
        return rows

    def judged(self, signature: Signature) -> tuple[str, ...]:
        """All outputs."""
        return tuple(spec.name for spec in signature.outputs)


def _classes_of(signature: Signature) -> int | None:
    """How many classes a detector tells apart, 0 where its outputs do not say; None where they are no detector's."""
    shapes = {spec.name: spec.shape for spec in signature.outputs}
    if len(shapes) == 1:
        (shape,) = shapes.values()
        if len(shape) != 3:
            return None
        if is_row(shape):
            return 0
        channels, last = channels_of(shape)
        classes = channels - (5 if has_objectness(channels, last=last) else 4)
        return 0 if channels == 0 else classes if classes > 0 else None
    boxes = boxes_among(shapes)
    others = [shape for name, shape in shapes.items() if name != boxes]
    if not boxes:
        return None
    if scores := [shape for shape in others if len(shape) == 3]:
        return scores[0][2] if isinstance(scores[0][2], int) else 0
    return 0 if any(len(shape) == 2 and shape[1:] == shapes[boxes][1:2] for shape in others) else None


def _problem(rows: np.ndarray, classes: int) -> tuple[str, np.ndarray]:
    """What is wrong with targets ``[R, 5]``, and the first row where it is."""
    label = rows[:, 0]
    checks = (
        ("numbers that are not finite", ~np.isfinite(rows).all(axis=1)),
        ("a class that is no whole number from 0 on", (label < 0) | (label % 1 != 0)),
        ("a class that the network does not have", (label >= classes) & (classes > 0)),
        ("a box whose end is before its start", (rows[:, 3:] < rows[:, 1:3]).any(axis=1)),
    )
    for problem, wrong in checks:
        if wrong.any():
            return problem, rows[wrong][0]
    return "", rows[:0]
