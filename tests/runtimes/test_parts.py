"""Batches put together from those a file has, on whatever axis their rows lie."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.core import EngineError, Signature, TensorSpec
from toolkit.runtimes._parts import BatchAxes, in_parts

SIGNATURE = Signature(
    (
        TensorSpec("x", "float32", ("batch", 3)),
        TensorSpec("state", "float32", (2, "batch", 4)),
        TensorSpec("rate", "float32", ()),
    ),
    (TensorSpec("y", "float32", ("batch", 3)), TensorSpec("next", "float32", (2, "batch", 4))),
)


def test_a_state_is_cut_and_joined_on_its_own_axis_and_a_constant_goes_to_each() -> None:
    random = np.random.default_rng(0)
    x, state, rate = random.standard_normal((7, 3)), random.standard_normal((2, 7, 4)), np.float64(2)
    sizes = []

    def run(arrays: list[np.ndarray]) -> list[np.ndarray]:
        assert arrays[0].shape[0] == arrays[1].shape[1]
        sizes.append(arrays[0].shape[0])
        return [arrays[0] * arrays[2], arrays[1] + arrays[0].sum(axis=1)[:, None]]

    y, after = in_parts([x, state, np.asarray(rate)], [4, 4], BatchAxes.of(SIGNATURE), run, able="")
    assert sizes == [4, 4]
    np.testing.assert_allclose(y, x * rate)
    np.testing.assert_allclose(after, state + x.sum(axis=1)[:, None])


def test_an_output_without_rows_cannot_be_put_together() -> None:
    lacking = Signature(SIGNATURE.inputs[:1], (TensorSpec("y", "float32", (3,)),))
    with pytest.raises(EngineError, match="batch 7 has to be put together"):
        in_parts([np.zeros((7, 3))], [4, 4], BatchAxes.of(lacking), list, able="batch 4")
