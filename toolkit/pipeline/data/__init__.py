"""Data that users hand over, one module a kind: found, never listed."""

from __future__ import annotations

from pathlib import Path

from toolkit.core import DataError, UnknownNameError, discover
from toolkit.models.data import all_data

from ._order import fair_order
from .base import DataReader, Found, Given, Wanted, as_given

__all__ = ["DataReader", "Found", "Given", "Wanted", "all_readers", "as_given", "fair_order", "find_reader"]


def all_readers() -> tuple[DataReader, ...]:
    """Every reader, sorted by name."""
    return discover("toolkit.pipeline.data", DataReader)


def find_reader(word: str) -> DataReader:
    """The reader of what `word` names; raises `InputError` where none knows it."""
    owners = sorted((each for each in all_readers() if each.owns(word)), key=lambda each: -each.rank)
    if owners:
        return owners[0]
    kinds = "; ".join(each.takes for each in all_readers())
    if Path(word).exists():
        raise DataError(f"cannot tell what kind of data '{word}' is", expected=f"one of: {kinds}")
    raise UnknownNameError("data set", word, (data.name for data in all_data()), hint=f"there is no such file or folder; data are {kinds}")
