"""PP-OCR by rapidocr: what finds lines of text, what reads them, and what tells whether they stand on their head.

Preparation and decoding as in the package: RGB in [-1, 1], for the detector by ImageNet's mean and deviation; a cell is text from .3 on.
"""

from __future__ import annotations

import numpy as np

from benchmarks.real_models.agree import letters, overlap, padded, read_alike
from benchmarks.real_models.base import Arrays, Network
from benchmarks.real_models.inputs import crop, planes, printed, words

_MEAN, _STD = np.array([0.485, 0.456, 0.406], np.float32)[:, None, None], np.array([0.229, 0.224, 0.225], np.float32)[:, None, None]
_OLD, _NEW = "rapidocr-onnxruntime==1.4.4", "rapidocr==3.10.0"


def lines(seed: int, count: int) -> Arrays:
    """Lines of print, ``float32[count, 3, 48, 320]``."""
    random = np.random.default_rng(seed)
    pictures = [printed(words(random, 3), height=48, width=320, random=random) for _ in range(count)]
    return {"x": np.stack([planes(each) * 2 - 1 for each in pictures]).astype(np.float32)}


def turned_lines(seed: int, count: int) -> Arrays:
    """Lines of print, half of them on their head, ``float32[count, 3, 48, 192]``."""
    random = np.random.default_rng(seed)
    pictures = [printed(words(random, 2), height=48, width=192, random=random) for _ in range(count)]
    pictures = [each[::-1, ::-1] if k % 2 else each for k, each in enumerate(pictures)]
    return {"x": np.stack([planes(each) * 2 - 1 for each in pictures]).astype(np.float32)}


def pages(seed: int, count: int) -> Arrays:
    """Photographs with three printed lines on each, ``float32[count, 3, 320, 320]``."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        picture = crop(random, height=320, width=320).copy()
        for _ in range(3):
            height, width = int(random.integers(20, 44)), int(random.integers(120, 300))
            top, left = int(random.integers(320 - height)), int(random.integers(320 - width))
            picture[top : top + height, left : left + width] = printed(words(random, 4), height=height, width=width, random=random)
        found.append((planes(picture) - _MEAN) / _STD)
    return {"x": np.stack(found).astype(np.float32)}


def characters_read(output: np.ndarray, target: np.ndarray) -> float:
    """Characters that are read alike"""
    return read_alike(letters(output), target)


def text_found(output: np.ndarray, target: np.ndarray) -> float:
    """Overlap of the cells that are text"""
    return overlap(output[0] > 0.3, target)


def upright(output: np.ndarray, target: np.ndarray) -> float:
    """Lines whose direction is told alike"""
    return float(output.argmax() == target)


def _only(outputs: Arrays) -> np.ndarray:
    (array,) = outputs.values()
    return np.asarray(array[0])


def _read(outputs: Arrays) -> np.ndarray:
    return padded(letters(_only(outputs)), 64)


def _text(outputs: Arrays) -> np.ndarray:
    return np.asarray(_only(outputs)[0] > 0.3)


def _direction(outputs: Arrays) -> np.ndarray:
    return np.array(_only(outputs).argmax())


def _of(name: str, package: str, file: str, what: str) -> Network:
    kind = next(kind for kind in ("det", "rec", "cls") if kind in name)
    if kind == "rec":
        return Network(name=name, package=package, file=file, what=what, samples=lines, metric=characters_read, decide=_read)
    if kind == "det":
        return Network(name=name, package=package, file=file, what=what, samples=pages, metric=text_found, decide=_text, held_out=32)
    return Network(
        name=name, package=package, file=file, what=what, samples=turned_lines, metric=upright, decide=_direction,
        calibrates=600, held_out=300,
    )  # fmt: skip


NETWORKS = [
    _of("ppocr4-det", _OLD, "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx", "finds lines of text"),
    _of("ppocr4-rec", _OLD, "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx", "reads lines of text, 6,625 characters"),
    _of("ppocr2-cls", _OLD, "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx", "tells whether a line stands on its head"),
    _of("ppocr6-det-small", _NEW, "rapidocr/models/PP-OCRv6_det_small.onnx", "finds lines of text"),
    _of("ppocr6-rec-small", _NEW, "rapidocr/models/PP-OCRv6_rec_small.onnx", "reads lines of text, 18,710 characters"),
]
