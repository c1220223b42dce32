"""captcha-recognizer's segmenter, YOLOv8 with masks, 640 x 640: the piece that is missing in a picture."""

from __future__ import annotations

import numpy as np

from benchmarks.real_models.agree import box_target, found_alike, yolo_boxes
from benchmarks.real_models.base import Arrays, Network
from benchmarks.real_models.inputs import crop, planes

_MASKS = 32


def puzzles(seed: int, count: int) -> Arrays:
    """Photographs with a dark square and the piece that belongs there, ``float32[count, 3, 640, 640]`` in [0, 1]."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        picture = crop(random, height=380, width=640).copy()
        side, top = int(random.integers(70, 110)), int(random.integers(20, 250))
        left = int(random.integers(200, 500))
        piece = picture[top : top + side, left : left + side].copy()
        picture[top : top + side, left : left + side] = piece // 3
        picture[top : top + side, 10 : 10 + side] = piece
        whole = np.full((640, 640, 3), 114, np.uint8)
        whole[130:510] = picture
        found.append(planes(whole))
    return {"images": np.stack(found)}


def pieces_found(output: dict[str, np.ndarray], target: np.ndarray) -> float:
    """F1 of boxes at an IoU of .5"""
    return found_alike(*yolo_boxes(output["output0"], masks=_MASKS), target)


def _found(outputs: Arrays) -> np.ndarray:
    return box_target(*yolo_boxes(outputs["output0"][0], masks=_MASKS))


NETWORKS = [
    Network(
        name="captcha-slider", package="captcha-recognizer==1.0.2", file="captcha_recognizer/models/slider.onnx",
        what="finds the missing piece of a picture, with its mask", samples=puzzles,
        metric=pieces_found, decide=_found, calibrates=60, held_out=16,
    ),
]  # fmt: skip
