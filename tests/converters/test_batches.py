"""The sizes for which a file of a format without free ones is made, and the rows of a calibration batch."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.converters.batches import CALIBRATION_BATCH, calibration_batch, fixes_of, numbered
from toolkit.core import InputError, Samples, Signature, TensorSpec

FREE = Signature(
    (TensorSpec("x", "float32", ("batch", "h", "w")), TensorSpec("state", "float32", (2, "batch", 3))),
    (TensorSpec("y", "float32", ("batch", "2*h", "y_2")), TensorSpec("next", "float32", (2, "batch", 3))),
    fixes=({"h": 4, "w": 6}, {"h": 5, "w": 6}, {"h": 4, "w": 6}),
)


def test_each_of_the_fixed_sizes_once() -> None:
    assert fixes_of(FREE, "TF Lite") == ({"h": 4, "w": 6}, {"h": 5, "w": 6})
    assert fixes_of(FREE.fixed({"h": 4, "w": 6}), "TF Lite") == ({},)


def test_a_size_that_nobody_says_is_named_with_the_call() -> None:
    some = Signature(FREE.inputs, FREE.outputs, fixes=({"h": 4},))
    with pytest.raises(InputError, match=r"ncnn needs fixed sizes: .* also free: w; say them, such as --fix h=4,w=32"):
        fixes_of(some, "ncnn")


def test_numbers_of_what_came_out_but_the_batch() -> None:
    found = numbered(FREE, {"h": 4, "w": 6}, [(2, 8, 9), (2, 2, 3)])
    assert [spec.shape for spec in found.inputs] == [("batch", 4, 6), (2, "batch", 3)]
    assert [spec.shape for spec in found.outputs] == [("batch", 8, 9), (2, "batch", 3)]
    assert not found.fixes
    assert not found.free


def test_a_network_without_a_batch_is_calibrated_one_by_one() -> None:
    single = Signature((TensorSpec("x", "float32", (6,)),), ())
    samples = Samples({"x": np.zeros((9, 6), np.float32)}).fit(single)
    assert calibration_batch(single, samples) == 1
    assert calibration_batch(FREE) == CALIBRATION_BATCH
    assert calibration_batch(Signature((TensorSpec("x", "float32", (4, 6)),), ())) == 4
