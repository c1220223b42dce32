"""Keypoints of one person or object in each sample.

Outputs that are read: places ``[N, K, 2]`` or, with a score that is not looked at, ``[N, K, 3]``, as x and y in the pixels of the targets;
heat maps ``[N, K, H, W]``, whose largest value is the place, in pixels of the map: targets are in these too.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from toolkit.core import Signature
from toolkit.core.mapped import by_parts

from ._counts import ratio_of_sums
from ._targets import check_finite, is_keypoints, is_real, refused
from .base import Metric, Scorer, Task

NEAR = 0.2
"""How far from its place a point may be, as a share of the larger side of the box around all that are visible."""
_COCO = np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1000
"""How exactly people mark the 17 points of COCO: pycocotools."""


def _near(predicted: np.ndarray, actual: np.ndarray) -> Scorer:
    distance, visible, sides = _compared(predicted, actual)
    near = visible & (distance <= NEAR * sides.max(axis=1)[:, None])
    return ratio_of_sums(near.sum(axis=1), visible.sum(axis=1))


def _similarity(predicted: np.ndarray, actual: np.ndarray) -> Scorer:
    """COCO's object keypoint similarity, mean over samples, of the area of the box around the visible points."""
    distance, visible, sides = _compared(predicted, actual)
    points = actual.shape[1]
    deviation = _COCO if points == len(_COCO) else np.full(points, 1 / points)
    spread = (2 * deviation) ** 2 * (sides.prod(axis=1)[:, None] + np.spacing(1)) * 2
    count = visible.sum(axis=1)
    each = np.where(visible, np.exp(-(distance**2) / spread), 0).sum(axis=1) / np.maximum(count, 1)
    return ratio_of_sums(each, count > 0)


def _compared(predicted: np.ndarray, actual: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distances ``[N, K]``, what is visible ``[N, K]``, and the sides ``[N, 2]`` of the box around that."""
    distance = np.linalg.norm(predicted - actual[:, :, :2], axis=2)
    visible: np.ndarray = actual[:, :, 2] > 0
    ends = [np.where(visible[:, :, None], actual[:, :, :2], sign * np.inf) for sign in (1, -1)]
    some = visible.any(axis=1, keepdims=True)
    sides = np.where(some, ends[1].max(axis=1), 0) - np.where(some, ends[0].min(axis=1), 0)
    return distance, visible, sides


class Keypoints(Task):
    """The places of K points in each sample."""

    name = "keypoints"
    title = "Keypoints"
    targets = "x, y in pixels and visibility (0 not marked, 1 hidden, 2 visible) of each point, float[N, K, 3]"
    agreement = "PCK against the reference's points"
    metrics = (
        Metric(name="pck", title="points within 0.2 of the larger side", score=_near),
        Metric(name="oks", title="object keypoint similarity", score=_similarity),
    )

    def fits(self, signature: Signature, targets: np.ndarray | None) -> bool:
        """Whether there are points with a visibility, as many as the only output has."""
        return targets is not None and len(signature.outputs) == 1 and is_keypoints(targets) and _points(signature) == targets.shape[1]

    def check(self, signature: Signature, targets: np.ndarray, origin: str) -> None:
        """As `Task.check`."""
        points = _points(signature)
        if points == 0:
            got = str(signature.outputs[0])
            raise refused(origin, "are for points", expected="an output [N, K, 2], [N, K, 3] or [N, K, H, W]", got=got)
        if not is_real(targets) or targets.ndim != 3 or targets.shape[2] != 3 or targets.shape[1] != points:
            raise refused(origin, "are no points", targets=targets, expected=f"float[N, {points}, 3]: x, y and visibility")
        check_finite(targets, origin)
        if not is_keypoints(targets):
            wrong = targets[:, :, 2][~np.isin(targets[:, :, 2], (0, 1, 2))][0]
            raise refused(origin, "have a visibility that is none", expected="0, 1 or 2 as the third number of a point", got=f"{wrong:g}")

    def predictions(self, outputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """The places, ``[N, K, 2]`` float64."""
        output = next(iter(outputs.values()))
        if output.ndim == 3:
            return output[:, :, :2].astype(np.float64)
        best = by_parts(lambda part: part.reshape(*part.shape[:2], -1).argmax(axis=2), output)
        places: np.ndarray = np.stack([best % output.shape[3], best // output.shape[3]], axis=2).astype(np.float64)
        return places

    def as_targets(self, predictions: np.ndarray) -> np.ndarray:
        """The places, all visible, ``[N, K, 3]``."""
        return np.concatenate([predictions, np.full((*predictions.shape[:2], 1), 2.0)], axis=2)


def _points(signature: Signature) -> int:
    """How many points the first output has; 0 where it holds none."""
    shape = signature.outputs[0].shape
    holds = (len(shape) == 3 and shape[2] in {2, 3}) or len(shape) == 4
    return shape[1] if holds and isinstance(shape[1], int) else 0
