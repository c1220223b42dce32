"""ddddocr: what reads captchas, and what finds the things in them."""

from __future__ import annotations

import numpy as np

from benchmarks.real_models.agree import cells_alike, letters, padded, read_alike
from benchmarks.real_models.base import Arrays, Network
from benchmarks.real_models.inputs import crop, printed, words

_PACKAGE = "ddddocr==1.6.1"


def captchas(seed: int, count: int) -> Arrays:
    """A word or a number in grey, ``float32[count, 1, 64, 160]`` in [-1, 1]."""
    random = np.random.default_rng(seed)
    pictures = [printed(words(random, 1), height=64, width=160, random=random).mean(-1) for _ in range(count)]
    return {"input1": (np.stack(pictures)[:, None] / 127.5 - 1).astype(np.float32)}


def scenes(seed: int, count: int) -> Arrays:
    """Photographs with words in them, BGR as bytes are, ``float32[count, 3, 416, 416]``."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        picture = crop(random, height=416, width=416).copy()
        for _ in range(4):
            top, left = int(random.integers(340)), int(random.integers(300))
            picture[top : top + 48, left : left + 90] = printed(words(random, 1)[:4], height=48, width=90, random=random)
        found.append(picture[..., ::-1].transpose(2, 0, 1))
    return {"images": np.stack(found).astype(np.float32)}


def characters_read(output: np.ndarray, target: np.ndarray) -> float:
    """Characters that are read alike"""
    return read_alike(letters(output.reshape(-1, output.shape[-1])), target)


def cells_found(output: np.ndarray, target: np.ndarray) -> float:
    """F1 of the cells that see a thing"""
    return cells_alike(_seen(output), target)


def _seen(output: np.ndarray) -> np.ndarray:
    return np.asarray(output[:, 4] * output[:, 5] > 0.3)


def _read(outputs: Arrays) -> np.ndarray:
    (array,) = outputs.values()
    return padded(letters(array.reshape(-1, array.shape[-1])), 32)


def _cells(outputs: Arrays) -> np.ndarray:
    return _seen(outputs["output"][0])


NETWORKS = [
    Network(
        name="ddddocr", package=_PACKAGE, file="ddddocr/common.onnx", what="reads captchas; the file declares another output than it has",
        samples=captchas, metric=characters_read, decide=_read, whole=True,
    ),
    Network(
        name="ddddocr-int8", package=_PACKAGE, file="ddddocr/common_old.onnx", what="reads captchas, quantized by its makers",
        integers=True, samples=captchas, metric=characters_read, decide=_read, whole=True,
    ),
    Network(
        name="ddddocr-det", package=_PACKAGE, file="ddddocr/common_det.onnx", what="finds the things in a captcha",
        samples=scenes, metric=cells_found, decide=_cells, calibrates=100, held_out=32,
    ),
]  # fmt: skip
