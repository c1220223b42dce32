"""How much of what an app decides is alike: a share for each sample, by its output and by what the reference decided."""

from __future__ import annotations

import numpy as np


def letters(scores: np.ndarray) -> np.ndarray:
    """What a recognizer reads by CTC's best path (Graves et al. 2006): class numbers, without the blank, which is 0.

    Args:
        scores: float[time, classes].
    """
    best = scores.argmax(-1)
    changed = np.r_[True, best[1:] != best[:-1]]
    return np.asarray(best[changed & (best != 0)])


def read_alike(read: np.ndarray, target: np.ndarray) -> float:
    """The share of characters that are read alike: one less the normalized edit distance."""
    from rapidfuzz.distance import Levenshtein

    return Levenshtein.normalized_similarity(read.tolist(), target[target > 0].tolist())


def padded(values: np.ndarray, length: int) -> np.ndarray:
    """``values`` with zeros behind them, as a row of targets."""
    return np.asarray(np.r_[values, np.zeros(length - len(values), values.dtype)], np.int64)


def overlap(mask: np.ndarray, target: np.ndarray) -> float:
    """Intersection over union of two masks; 1 where both are empty."""
    union = (mask | target).sum()
    return float((mask & target).sum() / union) if union else 1.0


def cells_alike(cells: np.ndarray, target: np.ndarray) -> float:
    """F1 of cells that are set; 1 where none is in either."""
    both = int((cells & target).sum())
    return 2 * both / int(cells.sum() + target.sum()) if cells.any() or target.any() else 1.0


def yolo_boxes(output: np.ndarray, *, masks: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores ``[boxes, classes]`` and corners ``[boxes, 4]`` of YOLOv8's ``[4 + classes + masks, boxes]``."""
    centre, size = output[:2].T, output[2:4].T
    return output[4 : len(output) - masks].T, np.concatenate([centre - size / 2, centre + size / 2], 1)


def found_alike(scores: np.ndarray, boxes: np.ndarray, target: np.ndarray, *, least: float = 0.25) -> float:
    """F1 of the boxes above a score against those of the reference, matched greedily at an IoU of .5 and of one class.

    Args:
        scores: float[boxes, classes].
        boxes: float[boxes, 4], corners.
        target: float[n, 5], corners and class; rows of zeros are padding.
        least: the score that counts.
    """
    mine = best_boxes(scores, boxes, least=least)
    theirs = target[target[:, 2] > 0]
    if not len(mine) and not len(theirs):
        return 1.0
    left = list(range(len(theirs)))
    hits = 0
    for box in mine:
        close = [k for k in left if theirs[k, 4] == box[4] and _iou(box[:4], theirs[k, :4]) >= 0.5]
        if close:
            left.remove(max(close, key=lambda k: _iou(box[:4], theirs[k, :4])))
            hits += 1
    return 2 * hits / (len(mine) + len(theirs))


def best_boxes(scores: np.ndarray, boxes: np.ndarray, *, least: float, most: int = 32) -> np.ndarray:
    """The boxes that stay after suppression at an IoU of .45, best first: float64[n, 5], corners and class."""
    best, kind = scores.max(-1), scores.argmax(-1)
    kept: list[np.ndarray] = []
    for k in np.argsort(-best):
        if best[k] < least or len(kept) == most:
            break
        if all(kind[k] != other[4] or _iou(boxes[k], other[:4]) < 0.45 for other in kept):
            kept.append(np.r_[boxes[k], kind[k]].astype(np.float64))
    return np.array(kept) if kept else np.zeros((0, 5))


def box_target(scores: np.ndarray, boxes: np.ndarray, *, least: float = 0.25, most: int = 32) -> np.ndarray:
    """What the reference finds, as a row of targets: float64[most, 5]."""
    found = best_boxes(scores, boxes, least=least, most=most)
    return np.concatenate([found, np.zeros((most - len(found), 5))])


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:4], b[2:4])
    both = np.prod(np.clip(high - low, 0, None))
    whole = np.prod(a[2:4] - a[:2]) + np.prod(b[2:4] - b[:2]) - both
    return float(both / whole) if whole > 0 else 0.0
