"""Parts of an output whose values have other ranges, such as a detector's boxes in pixels beside its probabilities.

One ratio over such an output says nothing of the smaller part, and one integer range leaves it no steps.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

APART = 8.0
"""How many times as large a range must be to count as another: it takes three of int8's seven bits from the smaller one."""
_CHANNELS = range(2, 4097)


@dataclass(frozen=True)
class ChannelGroup:
    """Neighbouring channels of an array that share a range.

    Args:
        axis: of the array with its batch in front.
        start: the first channel.
        stop: one behind the last.
        range: the largest absolute value in them.
    """

    axis: int
    start: int
    stop: int
    range: float

    def of(self, array: np.ndarray) -> np.ndarray:
        """The group's part of an array ``[N, ...]``."""
        return array[(slice(None),) * self.axis + (slice(self.start, self.stop),)]

    def __str__(self) -> str:
        last = self.stop - 1
        return f"channel{'s' if last > self.start else ''} {self.start}{f' to {last}' if last > self.start else ''} of axis {self.axis}"


def channel_groups(batches: Iterable[np.ndarray]) -> tuple[ChannelGroup, ...]:
    """The groups of an output, found by the ranges that a float network's values reach in it; empty where one range fits all.

    Along the axis that parts them most, channels are of one group where sorted by range no step to the next is `APART` times or more.
    Groups that lie among each other count as one: among a detector's classes there are rare ones, whose scores stay small.

    Args:
        batches: of the same output, each ``[N, ...]``; a size that differs between them is no axis of channels.
    """
    ranges: dict[int, np.ndarray] = {}
    first = True
    for batch in batches:
        if not np.issubdtype(batch.dtype, np.floating) or batch.ndim < 2 or not batch.size:
            return ()
        size = np.abs(np.where(np.isfinite(batch), batch, 0).astype(np.float64))
        found = {axis: size.max(axis=tuple(a for a in range(batch.ndim) if a != axis)) for axis in range(1, batch.ndim)}
        found = {axis: reach for axis, reach in found.items() if len(reach) in _CHANNELS}
        ranges = found if first else {a: np.maximum(r, found[a]) for a, r in ranges.items() if a in found and len(found[a]) == len(r)}
        first = False
    groups = [tuple(_groups(axis, reach)) for axis, reach in ranges.items()]
    return max((each for each in groups if len(each) > 1), key=_apart, default=())


def _groups(axis: int, reach: np.ndarray) -> list[ChannelGroup]:
    spans = _spans(reach)
    return [ChannelGroup(axis, start, stop, float(reach[start:stop].max())) for start, stop in spans]


def _spans(reach: np.ndarray) -> list[tuple[int, int]]:
    """Where groups begin and end, in order; channels of nothing but zeros belong to the group before them."""
    (alive,) = np.nonzero(reach)
    order = alive[np.argsort(reach[alive], kind="stable")]
    if len(order) < 2:
        return []
    steps = np.flatnonzero(reach[order[1:]] >= APART * reach[order[:-1]]) + 1
    spans = sorted((int(part.min()), int(part.max()) + 1) for part in np.split(order, steps))
    merged: list[tuple[int, int]] = []
    for span in spans:
        among = bool(merged) and span[0] < merged[-1][1]
        merged.append((merged[-1][0], max(span[1], merged.pop()[1])) if among else span)
    return list(pairwise([0, *(start for start, _ in merged[1:]), len(reach)]))


def _apart(groups: tuple[ChannelGroup, ...]) -> float:
    reaches = [group.range for group in groups]
    return max(reaches) / min(reaches)
