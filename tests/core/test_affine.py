"""Integers with a scale: known answers, and nothing is off by more than half a step."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.core import Affine


def test_known_answers() -> None:
    affine = Affine(0.5, -1)
    real = np.array([0.0, 0.5, 0.74, 0.76, 1.25, 1000.0, -1000.0], np.float32)
    assert affine.quantize(real, "int8").tolist() == [-1, 0, 0, 1, 1, 127, -128]
    assert affine.quantize(real, "uint8").tolist()[:2] == [0, 0]
    assert affine.dequantize(np.array([-1, 0, 127], np.int8)).tolist() == [0.0, 0.5, 64.0]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16"])
@given(scale=st.floats(1e-6, 1e3), zero_point=st.integers(-128, 127))
def test_every_integer_comes_back(dtype: str, scale: float, zero_point: int) -> None:
    affine = Affine(scale, zero_point)
    bounds = np.iinfo(dtype)
    integers = np.arange(bounds.min, bounds.max + 1).astype(dtype)
    np.testing.assert_array_equal(affine.quantize(affine.dequantize(integers), dtype), integers)


@given(scale=st.floats(1e-6, 1e3), zero_point=st.integers(-128, 127), share=st.floats(0, 1))
def test_inside_the_range_the_error_is_half_a_step(scale: float, zero_point: int, share: float) -> None:
    affine = Affine(scale, zero_point)
    low, high = affine.dequantize(np.array([-128, 127], np.int8))
    real = np.array([low + np.float32(share) * (high - low)], np.float32).clip(low, high)
    error = abs(affine.dequantize(affine.quantize(real, "int8"))[0] - real[0])
    assert error <= 0.5 * scale * (1 + 1e-3)
