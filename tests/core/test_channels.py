"""Parts of an output with ranges of their own."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.core.channels import APART, ChannelGroup, channel_groups

RANDOM = np.random.default_rng(0)


def detector(batch: int = 4, classes: int = 3, cells: int = 60) -> np.ndarray:
    """Boxes in pixels over probabilities ``[N, 4 + classes, cells]``."""
    boxes, scores = RANDOM.random((batch, 4, cells)) * 640, RANDOM.random((batch, classes, cells)) * 0.1
    return np.concatenate([boxes, scores], axis=1).astype(np.float32)


def spans(*arrays: np.ndarray) -> list[tuple[int, int, int]]:
    return [(group.axis, group.start, group.stop) for group in channel_groups(arrays)]


def test_boxes_and_scores_are_two_groups_whatever_the_layout() -> None:
    output = detector()
    assert spans(output) == [(1, 0, 4), (1, 4, 7)]
    assert spans(output.transpose(0, 2, 1)) == [(2, 0, 4), (2, 4, 7)]
    boxes, scores = channel_groups([output])
    np.testing.assert_array_equal(boxes.of(output), output[:, :4])
    np.testing.assert_array_equal(scores.of(output), output[:, 4:])
    assert str(scores) == "channels 4 to 6 of axis 1"
    assert str(ChannelGroup(2, 5, 6, 1.0)) == "channel 5 of axis 2"
    assert boxes.range == output[:, :4].max()


def test_batches_and_free_sizes_add_up() -> None:
    assert spans(detector(1), detector(3, cells=33)) == [(1, 0, 4), (1, 4, 7)]
    quiet = detector(2)
    quiet[:, :4] *= 1e-4
    assert spans(quiet) == []
    assert spans(quiet, detector(2)) == [(1, 0, 4), (1, 4, 7)]


def test_what_one_range_fits_has_no_groups() -> None:
    assert spans(RANDOM.standard_normal((32, 10))) == []
    assert spans(RANDOM.standard_normal((32, 3, 8, 8))) == []
    assert spans(np.zeros((4, 8), np.float32)) == []
    assert spans(np.ones((4, 1), np.float32)) == []
    assert spans(np.arange(12).reshape(3, 4) * 1000) == [], "integers are no measure of anything"
    assert spans(np.zeros((0, 7), np.float32)) == []
    assert channel_groups([]) == ()


def test_rare_classes_among_others_are_no_group() -> None:
    output = detector(classes=20)
    output[:, [6, 9, 15]] *= 1e-4
    assert spans(output) == [(1, 0, 4), (1, 4, 24)]
    output[:, [6, 9, 15]] = 0
    assert spans(output) == [(1, 0, 4), (1, 4, 24)]


def test_rows_of_numbers_in_other_units() -> None:
    rows = RANDOM.random((100, 3)) * [1.0, 300.0, 1e6]
    assert spans(rows) == [(1, 0, 1), (1, 1, 2), (1, 2, 3)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(1e-6, 1e6), min_size=2, max_size=12))
def test_groups_tile_the_axis_and_lie_apart(reach: list[float]) -> None:
    groups = channel_groups([np.array([reach, reach])])
    if groups:
        assert [group.start for group in groups] == [0, *(group.stop for group in groups[:-1])]
        assert groups[-1].stop == len(reach)
        assert all(max(a.range, b.range) >= APART * min(a.range, b.range) * 0.999 for a in groups for b in groups if a is not b)
    else:
        ordered = sorted(reach)
        assert len(reach) < 2 or len(set(reach)) == 1 or min(b / a for a, b in pairwise(ordered)) < APART


def test_values_that_are_not_finite_do_not_decide() -> None:
    output = detector()
    output[0, 4, 0] = np.inf
    output[0, 5, 0] = np.nan
    assert spans(output) == [(1, 0, 4), (1, 4, 7)]


@pytest.mark.parametrize("axis", [1, 2])
def test_the_axis_that_parts_most_is_taken(axis: int) -> None:
    output = RANDOM.random((2, 6, 6)) + 0.5
    output[(slice(None),) * axis + (slice(3),)] *= 1e4
    assert {group.axis for group in channel_groups([output])} == {axis}
