"""The order in which samples are divided."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from toolkit.pipeline.data._order import fair_order


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.data())
def test_each_class_has_its_share_in_every_first_part(labels: list[int], data: st.DataObject) -> None:
    targets = np.array(labels)
    order = fair_order(len(targets), targets)
    assert sorted(order) == list(range(len(targets)))
    assert (order == fair_order(len(targets), targets)).all()
    part = data.draw(st.integers(0, len(targets)))
    for label in np.unique(targets):
        share = (targets == label).mean() * part
        assert abs((targets[order[:part]] == label).sum() - share) <= 1.5


def test_classes_of_different_sizes_are_in_every_first_part_in_their_shares() -> None:
    targets = np.repeat([7, 3, 5], [100, 40, 20])
    order = fair_order(160, targets)
    for part in range(161):
        counts = [(targets[order[:part]] == label).sum() for label in (7, 3, 5)]
        assert np.abs(np.array(counts) - np.array([100, 40, 20]) * part / 160).max() <= 1
    assert not np.array_equal(order, np.sort(order))


def test_samples_without_classes_are_shuffled() -> None:
    for targets in (None, np.random.default_rng(0).random(100), np.zeros((100, 4), np.int64)):
        order = fair_order(100, targets)
        assert sorted(order) == list(range(100))
        assert (order[:50] >= 50).any()
