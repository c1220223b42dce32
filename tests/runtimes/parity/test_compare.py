"""Errors between arrays: golden values, the tolerance's edge, and figures that JSON can carry."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from toolkit.core import TOLERANCE, TensorError, mapped
from toolkit.runtimes.parity.compare import compare, top1_agreement

ROWS = arrays(np.float32, (4, 3), elements=st.floats(-1000, 1000, width=32))


def stored(error: TensorError) -> TensorError:
    return msgspec.json.decode(msgspec.json.encode(error), type=TensorError)


def test_golden_values() -> None:
    reference, candidate = np.array([[3.0, 4.0]]), np.array([[3.0, 4.5]])
    error = compare("y", [(reference, candidate)], scores=True)
    assert (error.output, error.max_abs, error.max_rel, error.top1_agreement) == ("y", 0.5, 0.125, 1.0)
    assert error.sqnr_db == pytest.approx(10 * math.log10(25 / 0.25))
    assert error.cosine == pytest.approx((9 + 18) / (5 * math.hypot(3, 4.5)))
    assert (error.within_tolerance, error.finite) == (False, True)


@pytest.mark.parametrize("value", [0.0, 1.0, -250.0])
def test_the_edge_of_the_tolerance(value: float) -> None:
    bound = TOLERANCE.atol + TOLERANCE.rtol * abs(value)
    reference = np.full((2, 2), value)
    for factor, inside in ((0.999, True), (1.001, False)):
        for sign in (1, -1):
            assert compare("y", [(reference, reference + sign * factor * bound)]).within_tolerance is inside


def test_one_bad_number_in_one_batch_is_enough() -> None:
    good = np.zeros((32, 10))
    bad = good.copy()
    bad[31, 9] = 0.01
    error = compare("y", [(good, good), (good, bad)])
    assert (error.within_tolerance, error.max_abs) == (False, 0.01)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", [0, 1])
def test_what_is_not_finite_on_either_side_is_never_equal_and_can_be_stored(value: float, where: int) -> None:
    pair = [np.ones((2, 2)), np.ones((2, 2))]
    pair[where][1, 1] = value
    error = compare("y", [(pair[0], pair[1])])
    assert (error.finite, error.within_tolerance, error.top1_agreement) == (False, False, None)
    assert stored(error) == error
    both = compare("y", [(np.full((2, 2), value), np.full((2, 2), value))])
    assert not both.finite


def test_a_reference_of_zeros_has_a_ratio_that_can_be_stored() -> None:
    error = compare("y", [(np.zeros((2, 2)), np.full((2, 2), 1e-5))])
    assert error.sqnr_db is not None
    assert error.sqnr_db < -1000
    assert stored(error) == error
    assert compare("y", [(np.zeros(3), np.zeros(3))]).cosine == 1.0


@given(ROWS)
def test_equal_arrays_are_equal_whatever_they_hold(array: np.ndarray) -> None:
    error = compare("y", [(array, array.copy())], scores=True)
    assert (error.max_abs, error.sqnr_db, error.within_tolerance, error.top1_agreement) == (0.0, None, True, 1.0)


@given(ROWS, ROWS)
def test_every_error_can_be_stored_and_the_ratio_does_not_know_the_unit(reference: np.ndarray, candidate: np.ndarray) -> None:
    error = compare("y", [(reference, candidate)])
    assert stored(error) == error
    doubled = compare("y", [(2 * reference, 2 * candidate)])
    assert doubled.max_abs == pytest.approx(2 * error.max_abs)
    if error.sqnr_db is not None and reference.any():
        assert doubled.sqnr_db == pytest.approx(error.sqnr_db)


def test_agreement_is_by_row_and_only_of_scores() -> None:
    one, other = np.eye(4), np.eye(4)[[0, 1, 3, 2]]
    assert top1_agreement([(one, other)]) == 0.5
    assert top1_agreement([(one, one), (one, other)]) == 0.75
    assert top1_agreement([(one[:, :1], one[:, :1])]) is None
    assert top1_agreement([(one[None], one[None])]) is None


def test_outputs_in_parts_are_those_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    reference = (random.standard_normal((50, 4, 6)) * np.array([1, 1, 300, 300])[:, None]).astype(np.float32)
    pairs = [(reference, reference + random.normal(0, 0.01, reference.shape).astype(np.float32))]
    whole = compare("x", pairs)
    monkeypatch.setattr(mapped, "CHUNK_BYTES", 700)
    parts = compare("x", pairs)
    assert len(whole.parts) == 2
    assert (parts.max_abs, parts.max_rel, parts.rows) == (whole.max_abs, whole.max_rel, 50)
    assert [(each.channels, each.range, each.max_abs) for each in parts.parts] == [(e.channels, e.range, e.max_abs) for e in whole.parts]
    found, expected = ([each.sqnr_db, each.cosine, *(part.sqnr_db for part in each.parts)] for each in (parts, whole))
    np.testing.assert_allclose(np.array(found, float), np.array(expected, float), rtol=1e-9)
    reference[-1, 0, 0] = np.nan
    assert not compare("x", pairs).finite
