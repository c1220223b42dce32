"""Data sets: one file each, found by discovery."""

from __future__ import annotations

from toolkit.core import UnknownNameError, discover

from .base import SPLITS, DataSet, ImageSet, TextSet

__all__ = ["SPLITS", "DataSet", "ImageSet", "TextSet", "all_data", "find_data"]


def all_data() -> tuple[DataSet, ...]:
    """Every data set in this folder and those that other distributions add under the entry point group ``toolkit.models.data``."""
    return discover("toolkit.models.data", DataSet)


def find_data(name: str) -> DataSet:
    """The data set called `name`; raises `UnknownNameError`."""
    sets = {data.name: data for data in all_data()}
    if name not in sets:
        raise UnknownNameError("data set", name, sets)
    return sets[name]
