"""How much of the noise in a quantized file's outputs is worth a second attempt, measured on the calibration samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType

import numpy as np

from toolkit.core.channels import ChannelGroup, channel_groups
from toolkit.core.decibels import Powers

# Below this a file is quantized again, the other way. Classifiers of the reference models lost no accuracy above it, and
# recurrences and masked sums, which the second attempt helps, were at 15 to 20 dB.
ENOUGH_DB = 25.0
REFUSED_DB = -200.0
"""The ratio of outputs that are not finite."""
# So much of what a float model gives is kept, so that it runs once for all the files that are compared with it.
_KEPT_BYTES = 256 * 2**20
Outputs = Mapping[str, np.ndarray]
Groups = Mapping[str, tuple[ChannelGroup, ...]]
"""Of the outputs that have several."""


class Exact:
    """What a float model gives on the calibration samples, batch by batch, and what it says of the files that are made of it.

    Args:
        run: runs the model; more than once only where its outputs are too large to be kept.
    """

    def __init__(self, run: Callable[[], Iterator[Outputs]]) -> None:
        self._run = run
        self._kept: list[Outputs] | None = None
        self._too_large = False

    def __iter__(self) -> Iterator[Outputs]:
        """The outputs by name, batch by batch."""
        if self._kept is not None:
            yield from self._kept
            return
        kept: list[Outputs] = []
        size = 0
        for batch in self._run():
            size += sum(array.nbytes for array in batch.values())
            self._too_large |= size > _KEPT_BYTES
            if self._too_large:
                kept.clear()
            else:
                kept.append(batch)
            yield batch
        self._kept = None if self._too_large else kept

    @property
    def is_kept(self) -> bool:
        """Whether the outputs are small enough to be kept; they are run for that once."""
        if self._kept is None and not self._too_large:
            for _ in self:
                pass
        return self._kept is not None

    @cached_property
    def groups(self) -> Groups:
        """The parts of each output that have ranges of their own."""
        return output_groups(self)

    def ratios(self, noisy: Iterable[Outputs]) -> dict[str, float]:
        """As the function `ratios`, against what a file made of the model gives on the same batches."""
        return ratios(zip(self, noisy, strict=True), self.groups)


def runs_of(names: Sequence[str], most: int) -> list[list[str]]:
    """At most so many runs of neighbours, as long as each other but for the last."""
    size = -(-len(names) // most) or 1
    return [list(names[start : start + size]) for start in range(0, len(names), size)]


def noisiest_first(runs: Sequence[list[str]], alone_db: Sequence[float]) -> list[list[str]]:
    """The runs by the ratio in decibels that each has alone."""
    return [run for _, run in sorted(zip(alone_db, runs, strict=True), key=lambda each: each[0])]


def left_db(alone_db: Sequence[float]) -> list[float]:
    """The ratio in decibels with 0, 1, 2 ... of the noisiest runs in float, if the noise of the others adds up, as that of independent
    sources does.
    """
    powers = [10 ** (-ratio / 10) for ratio in sorted(alone_db)]
    return [-10 * float(np.log10(sum(powers[count:]))) for count in range(len(powers))]


def output_groups(batches: Iterable[Outputs]) -> Groups:
    """The `channel_groups` of each output that has several, over all batches."""
    reach: dict[str, np.ndarray] = {}
    mixed: set[str] = set()
    for batch in batches:
        for name, array in batch.items():
            if not np.issubdtype(array.dtype, np.floating) or array.ndim < 2 or not len(array):
                continue
            # One sample that reaches what all reach has their groups.
            largest = np.where(np.isfinite(array), np.abs(array), 0).max(axis=0)
            if name in reach and reach[name].shape != largest.shape:
                mixed.add(name)
            else:
                reach[name] = np.maximum(reach.get(name, largest), largest)
    found = {name: channel_groups([array[None]]) for name, array in reach.items() if name not in mixed}
    return {name: groups for name, groups in found.items() if groups}


def ratios(batches: Iterable[tuple[Outputs, Outputs]], groups: Groups = MappingProxyType({})) -> dict[str, float]:
    """The ratio of each output in decibels, from pairs of exact and noisy outputs by name, batch by batch; from -200, for values that are
    not finite, to 200, for no noise. Where an output has groups of channels, that of the worst of them: noise in the scores of a detector
    is nothing beside its boxes. Integers, such as the labels beside scores, count only where no output is real.
    """
    powers: dict[str, list[Powers]] = {}
    for exact, noisy in batches:
        real = [name for name, value in exact.items() if np.issubdtype(value.dtype, np.floating)]
        for name in real or exact:
            value = exact[name]
            parts = [(group.of(value), group.of(noisy[name])) for group in groups.get(name, ())] or [(value, noisy[name])]
            found = [Powers.of([reference], [candidate]) for reference, candidate in parts]
            powers[name] = [one + other for one, other in zip(powers[name], found, strict=True)] if name in powers else found
    return {name: min(each.ratio_db() for each in parts) for name, parts in powers.items()}
