"""nudenet's detector, YOLOv8 nano over free sizes: faces and bodies in photographs of scikit-image; boxes from a score of .2 on."""

from __future__ import annotations

import numpy as np

from benchmarks.real_models.agree import box_target, found_alike, yolo_boxes
from benchmarks.real_models.base import Arrays, Network
from benchmarks.real_models.inputs import crop, planes

_LEAST = 0.2


def photographs(seed: int, count: int) -> Arrays:
    """Parts of photographs, ``float32[count, 3, 320, 320]`` in [0, 1]."""
    random = np.random.default_rng(seed)
    return {"images": np.stack([planes(crop(random, height=320, width=320)) for _ in range(count)])}


def boxes_found(output: np.ndarray, target: np.ndarray) -> float:
    """F1 of boxes at an IoU of .5"""
    return found_alike(*yolo_boxes(output), target, least=_LEAST)


def _found(outputs: Arrays) -> np.ndarray:
    return box_target(*yolo_boxes(outputs["output0"][0]), least=_LEAST)


NETWORKS = [
    Network(
        name="nudenet", package="nudenet==3.4.2", file="nudenet/320n.onnx", what="finds faces and parts of bodies",
        samples=photographs, metric=boxes_found, decide=_found, held_out=48,
    ),
]  # fmt: skip
