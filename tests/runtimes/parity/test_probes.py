"""Probe inputs: seeded, of every dtype, different along every axis, and inside the range of the samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.core import Samples, Signature, TensorSpec
from toolkit.runtimes.parity import BATCH_SIZES, batch_sizes, drawn, probe
from toolkit.runtimes.parity.probes import FREE_SIZE


def signature(dtype: str = "float32", shape: tuple[int | str, ...] = ("batch", 3, 5)) -> Signature:
    return Signature((TensorSpec("x", dtype, shape),), ())


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int8", "int32", "int64", "uint8", "bool"])
@pytest.mark.parametrize("batch", BATCH_SIZES)
def test_a_probe_fits_its_signature(dtype: str, batch: int) -> None:
    (x,) = probe(signature(dtype), batch=batch)
    assert (x.dtype, x.shape) == (np.dtype(dtype), (batch, 3, 5))
    assert signature(dtype).check(x)


def test_probes_repeat_for_a_seed_and_differ_between_seeds_and_batches() -> None:
    (one,), (again,), (other,), (more,) = (
        probe(signature(), batch=2),
        probe(signature(), batch=2),
        probe(signature(), batch=2, seed=1),
        probe(signature(), batch=3),
    )
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert not np.array_equal(one, more[:2])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_no_flip_and_no_shift_along_an_axis_goes_unseen(axis: int) -> None:
    (x,) = probe(signature(), batch=7)
    assert not np.allclose(x, np.flip(x, axis))
    assert not np.allclose(x, np.roll(x, 1, axis))


def test_two_inputs_of_one_shape_are_not_alike() -> None:
    both = Signature((TensorSpec("a", "float32", ("batch", 4)), TensorSpec("b", "float32", ("batch", 4))), ())
    first, second = probe(both, batch=3)
    assert not np.allclose(first, second)


@given(low=st.integers(-100, 100), width=st.integers(0, 200), batch=st.sampled_from(BATCH_SIZES))
def test_numbers_stay_in_the_samples_range(low: int, width: int, batch: int) -> None:
    random = np.random.default_rng(0)
    for dtype in ("float32", "int32"):
        rows = random.integers(low, low + width + 1, (20, 3, 5)).astype(dtype)
        (x,) = probe(signature(dtype), batch=batch, samples=Samples({"x": rows}))
        assert rows.min() <= x.min() <= x.max() <= rows.max()


def test_free_dimensions_take_the_samples_size() -> None:
    free = signature(shape=("batch", "length"))
    assert probe(free, batch=2)[0].shape == (2, FREE_SIZE)
    assert probe(free, batch=2, samples=Samples({"x": np.zeros((3, 9), np.float32)}))[0].shape == (2, 9)


def test_a_fixed_batch_is_the_only_one() -> None:
    assert batch_sizes(signature()) == BATCH_SIZES == (1, 2, 3, 7, 32)
    assert batch_sizes(signature(shape=(4, 3))) == (4,)
    assert batch_sizes(signature(shape=())) == (1,)


def test_whole_numbers_are_rows_of_the_samples_in_every_input() -> None:
    """A mask that begins with zeros, which no sample has, would ask an attention what it has no answer to."""
    both = Signature((TensorSpec("tokens", "int64", ("batch", 4)), TensorSpec("mask", "bool", ("batch", 4))), ())
    tokens = np.arange(36).reshape(9, 4)
    samples = Samples({"tokens": tokens, "mask": tokens % 4 <= (tokens // 4) % 4})
    for batch in BATCH_SIZES:
        some, mask = probe(both, batch=batch, samples=samples)
        assert some.shape == mask.shape == (batch, 4)
        assert np.array_equal(mask, some % 4 <= (some // 4) % 4)
    assert len(np.unique(some[:, 0])) > 4


STATEFUL = Signature(
    (
        TensorSpec("x", "float32", ("batch", "t", 4)),
        TensorSpec("tokens", "int64", ("batch", "t")),
        TensorSpec("state", "float32", (2, "batch", 3)),
        TensorSpec("rate", "int64", ()),
    ),
    (),
    values={"rate": 16000},
)


def _stateful() -> Samples:
    random = np.random.default_rng(0)
    arrays: dict[str, np.ndarray] = {
        "x": random.standard_normal((5, 6, 4)).astype(np.float32),
        "tokens": np.arange(30).reshape(5, 6),
        "state": random.standard_normal((2, 5, 3)).astype(np.float32),
    }
    return Samples(arrays).fit(STATEFUL)


def test_rows_of_a_state_lie_on_its_axis_and_a_constant_is_one() -> None:
    x, tokens, state, rate = probe(STATEFUL, batch=3, samples=_stateful())
    assert (x.shape, tokens.shape, state.shape) == ((3, 6, 4), (3, 6), (2, 3, 3))
    assert rate == 16000
    assert STATEFUL.check([x, tokens, state, rate])


def test_other_sizes_than_the_samples_have() -> None:
    for size in (2, 6, 15):
        x, tokens, state, _ = probe(STATEFUL, batch=3, samples=_stateful(), sizes={"t": size})
        assert (x.shape, tokens.shape, state.shape) == ((3, size, 4), (3, size), (2, 3, 3))
        assert np.isin(tokens, np.arange(30)).all()


def test_drawn_samples_of_a_state_fit_its_network() -> None:
    found = drawn(STATEFUL, batch=4, rounds=2, sizes={"t": 5})
    assert len(found) == 8
    batch = found.fit(STATEFUL).batch(slice(0, 3))
    assert {name: array.shape for name, array in batch.items()} == {"x": (3, 5, 4), "tokens": (3, 5), "state": (2, 3, 3), "rate": ()}
    assert batch["rate"] == 16000


def test_drawn_samples_of_a_fixed_batch_are_whole_calls() -> None:
    fixed = Signature((TensorSpec("x", "float32", (1, 4)), TensorSpec("state", "float32", (2, 1, 3))), ())
    found = drawn(fixed, batch=64, rounds=3).fit(fixed)
    assert len(found) == 3
    assert {name: array.shape for name, array in found.batch(slice(0, 1)).items()} == {"x": (1, 4), "state": (2, 1, 3)}


def test_without_samples_sizes_are_the_fixed_ones() -> None:
    fixed = Signature((TensorSpec("x", "float32", ("batch", "h", "w")),), (), fixes=({"h": 3, "w": 5}, {"h": 4, "w": 5}))
    assert probe(fixed, batch=2)[0].shape == (2, 3, 5)
    assert probe(fixed, batch=2, sizes={"h": 9, "w": 1})[0].shape == (2, 9, 1)
