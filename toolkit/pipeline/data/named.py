"""Data sets that the toolkit knows by name."""

from __future__ import annotations

from dataclasses import replace

from toolkit.core import Samples, Signature
from toolkit.models.data import all_data, find_data

from .base import DataReader, Found, Given, Wanted


class NamedSet(DataReader):
    """A data set of ``toolkit data``: its training part calibrates, its test part verifies."""

    name = "named"
    takes = "a data set (toolkit data)"
    example = "digits"
    rank = 1  # A folder that happens to be called like one must not take its place.

    def owns(self, word: str) -> bool:
        """Whether that is a data set's name."""
        return any(word == data.name for data in all_data())

    def path(self, word: str) -> None:
        """Nothing."""

    def _read(self, given: Given, wanted: Wanted) -> Found:
        data = find_data(given.word)
        train = data.load("train", wanted.folder, rows=slice(wanted.calibration))
        test = data.load("test", wanted.folder, rows=slice(wanted.evaluation))
        first, rest = (_labelled(part, wanted.signature).fit(wanted.signature) for part in (train, test))
        return Found(samples=first, tests=rest)


def _labelled(samples: Samples, signature: Signature) -> Samples:
    """With the labels as an input where the model takes them."""
    wanted = {spec.name for spec in signature.inputs} - set(samples.inputs)
    if wanted != {"label"} or samples.targets is None:
        return samples
    return replace(samples, inputs={**samples.inputs, "label": samples.targets})
