"""Targets: which are class labels, and what is said of those that are none."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.core import DataError, Samples, class_labels


def samples(targets: np.ndarray | None) -> Samples:
    return Samples({"x": np.zeros((4, 2), np.float32)}, targets, "s.npz")


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8"])
def test_whole_numbers_are_labels(dtype: str) -> None:
    targets = np.array([0, 1, 2, 0], dtype)
    assert class_labels(samples(targets), 3) is targets
    assert class_labels(samples(targets), None) is targets
    assert class_labels(samples(None), 3) is None


@pytest.mark.parametrize(
    ("targets", "line"),
    [
        (
            np.eye(4, 3),
            r"from 0 to 2 for each sample, such as int64\[4\], got float64\[4,3\]; of one-hot rows .*argmax\(axis=1\), or leave",
        ),
        (np.zeros((4, 1), int), r"got int64\[4,1\]; of one column: targets\[:, 0\], as integers, or leave"),
        (np.zeros((4, 8, 8), np.uint8), r"got uint8\[4,8,8\]; or leave the targets out"),
        (np.array([0.0, 1.0, 2.0, 0.0]), r"got float64\[4\]; of whole numbers: targets.astype\('int64'\)"),
        (np.array([0.5, 1.0, 2.0, 0.0]), r"got float64\[4\]; or leave"),
        (np.array([True, False] * 2), r"got bool\[4\]; of whole numbers"),
        (np.array(["a", "b", "a", "b"]), r"got <U1\[4\]; or leave"),
        (np.array([0, 1, 2, 3]), "have unknown labels: expected 0 to 2, got 3$"),
        (np.array([-1, 1, 2, 0]), "have unknown labels: expected 0 to 2, got -1$"),
        (np.array([1, 2, 3, 1]), "have unknown labels: expected 0 to 2, got 3; labels that count from 1: targets - 1"),
    ],
)
def test_what_is_no_label_is_refused_with_a_way_out(targets: np.ndarray, line: str) -> None:
    with pytest.raises(DataError, match=line):
        class_labels(samples(targets), 3)


def test_without_a_number_of_classes_only_the_sign_can_be_wrong() -> None:
    with pytest.raises(DataError, match="expected numbers from 0 on, got -1"):
        class_labels(samples(np.array([0, -1, 1000, 2])), None)
