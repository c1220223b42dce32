"""Whether two tensors hold the same values in another order of their axes: converters move channels, split and merge dimensions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

_MAX_AXES = 5


@dataclass(frozen=True)
class Layout:
    """Where the elements of a candidate's tensor stand in the reference's.

    ``axes`` order the axes longer than one of the candidate's tensor, or with ``of_reference`` of the reference's, before the elements are
    counted off into the other's shape.
    """

    candidate: tuple[int, ...]
    reference: tuple[int, ...]
    axes: tuple[int, ...]
    of_reference: bool = False

    def to_reference(self, array: np.ndarray) -> np.ndarray:
        """The candidate's `array` in the reference's shape."""
        if self.of_reference:
            return _unmoved(array, self.reference, self.axes)
        return _moved(array.reshape(self.candidate), self.axes).reshape(self.reference)

    def to_candidate(self, array: np.ndarray) -> np.ndarray:
        """The reference's `array` in the candidate's shape."""
        if self.of_reference:
            return _moved(array.reshape(self.reference), self.axes).reshape(self.candidate)
        return _unmoved(array, self.candidate, self.axes)

    @property
    def is_plain(self) -> bool:
        """Whether both have one shape, but for axes of one, and one order."""
        return list(self.axes) == sorted(self.axes) and _sizes(self.candidate) == _sizes(self.reference)

    @property
    def keeps_axes(self) -> bool:
        """Whether every axis of one is an axis of the other."""
        own, other = _sizes(self.candidate), _sizes(self.reference)
        return [own[axis] for axis in self.axes] == other if not self.of_reference else [other[axis] for axis in self.axes] == own


def layouts(candidate: tuple[int, ...], reference: tuple[int, ...]) -> Iterator[Layout]:
    """Every layout that fits the two shapes, that of equal order first; none where the numbers of elements differ."""
    if math.prod(candidate) != math.prod(reference):
        return
    own, other = len(_sizes(candidate)), len(_sizes(reference))
    yield Layout(candidate, reference, tuple(range(own)))
    same = sorted(_sizes(candidate)) == sorted(_sizes(reference))
    for axes in itertools.permutations(range(own)) if own <= _MAX_AXES else ():
        if axes != tuple(range(own)):
            yield Layout(candidate, reference, axes)
    for axes in itertools.permutations(range(other)) if other <= _MAX_AXES and not same else ():
        if axes != tuple(range(other)):
            yield Layout(candidate, reference, axes, of_reference=True)


def _sizes(shape: Sequence[int]) -> list[int]:
    return [size for size in shape if size != 1]


def _moved(array: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    return array.reshape(_sizes(array.shape)).transpose(axes)


def _unmoved(array: np.ndarray, shape: tuple[int, ...], axes: tuple[int, ...]) -> np.ndarray:
    sizes = _sizes(shape)
    return array.reshape([sizes[axis] for axis in axes]).transpose(np.argsort(axes)).reshape(shape)
