"""Semantic segmentation: a class for each pixel.

Outputs that are read: scores ``[N, C, H, W]`` or ``[N, H, W, C]``, where the axis of classes is the one that leaves a square picture, else
the shorter one; one score ``[N, 1, H, W]`` for whether a pixel belongs to the only class; classes ``[N, H, W]`` as whole numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from toolkit.core import Signature
from toolkit.core.mapped import by_parts
from toolkit.core.signature import Dimension

from ._counts import mean_ratio, ratio_of_sums, yes
from ._targets import check_below, is_whole, refused
from .base import Metric, Scorer, Task

NOT_COUNTED = 255
"""The target of a pixel that does not count, as in PASCAL VOC and Cityscapes."""


@dataclass(frozen=True, eq=False)
class Maps:
    """A class for each pixel, ``[N, H, W]``, and how many classes there are."""

    labels: np.ndarray
    classes: int


def _iou(predicted: Maps, actual: np.ndarray) -> Scorer:
    classes = predicted.classes

    def rows(labels: np.ndarray, true: np.ndarray) -> np.ndarray:
        counted = true != NOT_COUNTED
        both = _counts(true, counted & (labels == true), classes)
        return np.stack([both, _counts(labels, counted, classes) + _counts(true, counted, classes) - both], axis=1)

    found = by_parts(rows, predicted.labels, actual)
    return mean_ratio(found[:, 0], found[:, 1])


def _pixels(predicted: Maps, actual: np.ndarray) -> Scorer:
    def rows(labels: np.ndarray, true: np.ndarray) -> np.ndarray:
        counted = true != NOT_COUNTED
        return np.column_stack([(counted & (labels == true)).sum(axis=(1, 2)), counted.sum(axis=(1, 2))])

    found = by_parts(rows, predicted.labels, actual)
    return ratio_of_sums(found[:, 0], found[:, 1])


def _counts(labels: np.ndarray, counted: np.ndarray, classes: int) -> np.ndarray:
    """How many pixels that count are of each class, ``[N, C]``; what is no class, as a network of classes may say, is of none."""
    counted = counted & (labels >= 0) & (labels < classes)
    sample = np.broadcast_to(np.arange(len(labels))[:, None, None], labels.shape)[counted]
    each = np.bincount(sample * classes + labels[counted].astype(np.int64), minlength=len(labels) * classes)
    return each.reshape(len(labels), classes)


class Segmentation(Task):
    """A class for each pixel."""

    name = "segmentation"
    title = "Semantic segmentation"
    targets = "a class for each pixel, int[N, H, W]; 255 does not count"
    agreement = "mean IoU with the reference's classes"
    metrics = (
        Metric(name="miou", title="mean intersection over union", score=_iou),
        Metric(name="pixel-accuracy", title="pixel accuracy", score=_pixels),
    )

    def fits(self, signature: Signature, targets: np.ndarray | None) -> bool:
        """Whether there is a whole number for each pixel of the only output."""
        if targets is None or targets.ndim != 3 or not is_whole(targets) or len(signature.outputs) != 1:
            return False
        size = _size(signature)
        return size is not None and all(
            isinstance(want, str) or want == have for want, have in zip(size[1:], targets.shape[1:], strict=True)
        )

    def check(self, signature: Signature, targets: np.ndarray, origin: str) -> None:
        """As `Task.check`."""
        size = _size(signature)
        if size is None:
            got = str(signature.outputs[0])
            raise refused(origin, "are for classes of pixels", expected="an output [N, C, H, W], [N, H, W, C] or int[N, H, W]", got=got)
        classes, *pixels = size
        if not is_whole(targets) or targets.ndim != 3:
            raise refused(origin, "are no classes of pixels", targets=targets, expected=self.targets)
        if any(isinstance(want, int) and want != have for want, have in zip(pixels, targets.shape[1:], strict=True)):
            expected = f"[N, {', '.join(map(str, pixels))}]"
            raise refused(
                origin, "have another size than the output", targets=targets, expected=expected, hint="scale them, nearest neighbour"
            )
        check_below(targets, origin, classes=classes, ignored=NOT_COUNTED)

    def predictions(self, outputs: Mapping[str, np.ndarray]) -> Maps:
        """The class of the largest score of each pixel."""
        output = next(iter(outputs.values()))
        if output.ndim == 3:
            return Maps(output, NOT_COUNTED)
        axis = _class_axis(output.shape)
        if output.shape[axis] == 1:
            return Maps(yes(output.squeeze(axis)).view(np.uint8), 2)
        # A byte holds them nearly always, and there are as many as pixels.
        kind = np.min_scalar_type(max(output.shape[axis], NOT_COUNTED))
        return Maps(by_parts(lambda part: part.argmax(axis=axis).astype(kind), output), output.shape[axis])

    def as_targets(self, predictions: Maps) -> np.ndarray:
        """The classes, ``[N, H, W]``."""
        return predictions.labels


def _size(signature: Signature) -> tuple[Dimension, Dimension, Dimension] | None:
    """Classes, height and width of the first output; None where it holds no classes of pixels."""
    spec = signature.outputs[0]
    if len(spec.shape) == 3 and "int" in spec.dtype:
        return NOT_COUNTED, spec.shape[1], spec.shape[2]
    if len(spec.shape) != 4:
        return None
    axis = _class_axis(spec.shape)
    classes, pixels = spec.shape[axis], [size for place, size in enumerate(spec.shape) if place not in {0, axis}]
    return 2 if classes == 1 else classes, pixels[0], pixels[1]


def _class_axis(shape: tuple[Dimension, ...]) -> int:
    """Where the classes are: 1 or 3."""
    first, second, third = shape[1:]
    if (second == third) != (first == second):
        return 1 if second == third else 3
    if isinstance(first, int) and isinstance(third, int):
        return 1 if first <= third else 3
    return 3 if isinstance(third, int) else 1
