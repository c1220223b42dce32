"""Boxes: what detectors give, decoded to corners with a score and a class, and how much boxes overlap."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from ._targets import PADDING

LEAST_SCORE = 0.001
MOST_OVERLAP = 0.7
MOST = 300
"""Ultralytics' own when it validates: detections of less are not counted, those that overlap more are one, an image has no more."""
_CANDIDATES = 30_000
_BLOCK = 512
_COCO_WITH_OBJECTNESS = 5 + 80
_ROW = 6


@dataclass(frozen=True, eq=False)
class Detections:
    """What was found in some images, ordered by image and then by falling score.

    Args:
        images: how many images there are.
        image: of which image each detection is, ``[K]`` int64.
        label: its class, ``[K]`` int64.
        score: ``[K]`` float64.
        box: left, top, right and bottom, ``[K, 4]`` float64 in pixels.
    """

    images: int
    image: np.ndarray
    label: np.ndarray
    score: np.ndarray
    box: np.ndarray

    def where(self, keep: np.ndarray) -> Detections:
        """Some of them, ``[K]`` bool."""
        return Detections(self.images, self.image[keep], self.label[keep], self.score[keep], self.box[keep])

    def ranks(self) -> np.ndarray:
        """How many of the same image and class have a higher score, ``[K]`` int64."""
        order = np.lexsort((-self.score, self.label, self.image))
        image, label = self.image[order], self.label[order]
        place = np.arange(len(order))
        starts = np.concatenate([[True], (image[1:] != image[:-1]) | (label[1:] != label[:-1])])[: len(order)]
        ranks = np.empty(len(order), dtype=np.int64)
        ranks[order] = place - np.maximum.accumulate(np.where(starts, place, 0)) if len(order) else place
        return ranks

    def as_rows(self) -> np.ndarray:
        """Class, left, top, right and bottom, ``[N, M, 5]`` float64; an image with fewer has rows of class -1."""
        counts = np.bincount(self.image, minlength=self.images)
        rows = np.zeros((self.images, max(1, int(counts.max(initial=0))), 5))
        rows[:, :, 0] = PADDING
        place = np.arange(len(self.image)) - np.repeat(np.cumsum(counts) - counts, counts)
        rows[self.image, place, 0] = self.label
        rows[self.image, place, 1:] = self.box
        return rows


def joined(found: Iterable[Detections]) -> Detections:
    """Those of some images, then those of the next."""
    parts = list(found)
    before = np.cumsum([0, *(part.images for part in parts)])
    image = np.concatenate([part.image + start for part, start in zip(parts, before, strict=False)])
    columns = ([part.label for part in parts], [part.score for part in parts], [part.box for part in parts])
    return Detections(int(before[-1]), image, *map(np.concatenate, columns))


def overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union ``[P, Q]`` of corners ``[P, 4]`` and ``[Q, 4]``, in the order of pycocotools' operations, so bit for bit."""
    size, other = first[:, None, 2:] - first[:, None, :2], second[None, :, 2:] - second[None, :, :2]
    ends = np.minimum(first[:, None, :2] + size, second[None, :, :2] + other)
    shared = np.maximum(ends - np.maximum(first[:, None, :2], second[None, :, :2]), 0).prod(axis=2)
    whole = size.prod(axis=2) + other.prod(axis=2) - shared
    result: np.ndarray = np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)
    return result


def detections_of(outputs: Mapping[str, np.ndarray]) -> Detections:
    """What a detector says, from its outputs in one of the layouts that `toolkit.tasks.detection` names."""
    arrays = dict(outputs)
    if len(arrays) == 1:
        return _of_one(next(iter(arrays.values())))
    boxes = arrays.pop(boxes_among({name: array.shape for name, array in arrays.items()}))
    scores = next((name for name, array in arrays.items() if array.ndim == 3), None)
    if scores is not None:
        return _of_classes(boxes, arrays[scores])
    columns = [name for name, array in arrays.items() if array.shape == boxes.shape[:2]]
    labels = _labels_among(columns, arrays)
    column = next(name for name in columns if name != labels)
    label = arrays[labels] if labels else np.zeros(boxes.shape[:2])
    valid = _counted(arrays, boxes.shape)
    return _collect(len(boxes), [_Found(boxes[n], np.where(valid[n], arrays[column][n], 0), label[n]) for n in range(len(boxes))])


def boxes_among(shapes: Mapping[str, tuple[int | str, ...]]) -> str:
    """The output that holds the boxes ``[N, M, 4]``: that whose name says so, else the first; nothing where there is none."""
    names = [name for name, shape in shapes.items() if len(shape) == 3 and shape[2] == 4]
    return next((name for name in names if "box" in name.lower()), names[0] if names else "")


def channels_of(shape: tuple[int | str, ...]) -> tuple[int, bool]:
    """How many channels a single output ``[N, A, B]`` has, and whether they come last: they are fewer than the cells.

    0 where the sizes are free and do not tell.
    """
    first, last = shape[1:]
    if isinstance(first, int) and isinstance(last, int):
        return (last, True) if last < first else (first, False)
    return (last, True) if isinstance(last, int) else (first, False) if isinstance(first, int) else (0, False)


def is_row(shape: tuple[int | str, ...]) -> bool:
    """Whether a single output ``[N, M, 6]`` holds finished detections: two corners, score and class of at most 300."""
    return shape[2] == _ROW and isinstance(shape[1], int) and shape[1] <= MOST


def has_objectness(channels: int, *, last: bool) -> bool:
    """Whether channels can only be YOLOv5's: it puts them last, and 85 are the 80 classes of COCO, which nobody has 81 of."""
    return last and channels == _COCO_WITH_OBJECTNESS


@dataclass(frozen=True, eq=False)
class _Found:
    """Boxes ``[P, 4]``, scores ``[P]`` and classes ``[P]`` of one image."""

    box: np.ndarray
    score: np.ndarray
    label: np.ndarray


def _of_one(output: np.ndarray) -> Detections:
    if is_row(output.shape):
        return _collect(len(output), [_Found(rows[:, :4], rows[:, 4], rows[:, 5]) for rows in output])
    channels, last = channels_of(output.shape)
    cells = output if last else output.transpose(0, 2, 1)
    centre, size = cells[:, :, :2].astype(np.float64), cells[:, :, 2:4].astype(np.float64)
    scores = cells[:, :, 5:] * cells[:, :, 4:5] if has_objectness(channels, last=last) else cells[:, :, 4:]
    return _of_classes(np.concatenate([centre - size / 2, centre + size / 2], axis=2), scores)


def _of_classes(boxes: np.ndarray, scores: np.ndarray) -> Detections:
    """Each class of each box is a detection; those of one class that overlap are one."""
    found = []
    for box, score in zip(boxes, scores, strict=True):
        cell, label = np.nonzero(score >= LEAST_SCORE)
        one = _Found(box[cell], score[cell, label], label)
        best = np.argsort(-one.score, kind="stable")[:_CANDIDATES]
        found.append(_without_overlaps(_Found(one.box[best].astype(np.float64), one.score[best], one.label[best])))
    return _collect(len(boxes), found)


def _without_overlaps(found: _Found) -> _Found:
    """The best of boxes of one class that overlap, from boxes by falling score: greedy non-maximum suppression."""
    kept = [_greedy(found.box, np.flatnonzero(found.label == label)) for label in np.unique(found.label)]
    index = np.sort(np.concatenate(kept)) if kept else np.zeros(0, dtype=np.int64)
    return _Found(found.box[index], found.score[index], found.label[index])


def _greedy(box: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Which of the boxes of one class, `rest` by falling score, are left; block by block, as a matrix of all would not fit."""
    kept = np.zeros(0, dtype=np.int64)
    while len(rest) and len(kept) < MOST:
        block, rest = rest[:_BLOCK], rest[_BLOCK:]
        over = overlaps(box[block], box[block]) > MOST_OVERLAP
        alive = np.ones(len(block), dtype=bool)
        for place in range(len(block)):
            if alive[place]:
                alive[place + 1 :] &= ~over[place, place + 1 :]
        best = block[alive]
        kept = np.concatenate([kept, best])
        rest = rest[~(overlaps(box[best], box[rest]) > MOST_OVERLAP).any(axis=0)]
    return kept[:MOST]


def _collect(images: int, found: list[_Found]) -> Detections:
    """The best of each image; what is no box, of no area or not finite, is none."""
    parts: list[tuple[np.ndarray, ...]] = []
    for number, one in enumerate(found):
        box, score = one.box.astype(np.float64), one.score.astype(np.float64)
        real = np.isfinite(box).all(axis=1) & (box[:, 2:] > box[:, :2]).all(axis=1) & (score >= LEAST_SCORE) & (one.label >= 0)
        best = np.flatnonzero(real)[np.argsort(-score[real], kind="stable")[:MOST]]
        parts.append((np.full(len(best), number), one.label[best].astype(np.int64), score[best], box[best]))
    columns = (
        [np.concatenate(column) for column in zip(*parts, strict=True)]
        if parts
        else [np.zeros(0, int)] * 2 + [np.zeros(0), np.zeros((0, 4))]
    )
    return Detections(images, *columns)


def _labels_among(columns: list[str], arrays: Mapping[str, np.ndarray]) -> str:
    """The classes among outputs ``[N, M]``: whole numbers by their type, or by name, else the second; nothing where there is one."""
    if len(columns) < 2:
        return ""
    whole = [name for name in columns if np.issubdtype(arrays[name].dtype, np.integer)]
    named = [name for name in columns if "label" in name.lower() or "class" in name.lower()]
    return (whole or named or columns[1:])[0]


def _counted(arrays: Mapping[str, np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """Which of the boxes ``[N, M]`` are meant: all, unless an output ``[N]`` or ``[N, 1]`` counts them."""
    count = next((array for array in arrays.values() if array.size == shape[0] and array.ndim < 3 and array.shape != shape[:2]), None)
    if count is None:
        return np.ones(shape[:2], dtype=bool)
    counted: np.ndarray = np.arange(shape[1])[None] < count.reshape(-1, 1)
    return counted
