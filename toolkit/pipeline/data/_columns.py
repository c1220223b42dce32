"""Which columns an input is made of, as ``--column NAME=INPUT`` says."""

from __future__ import annotations

from collections.abc import Sequence

from toolkit.core import DataError


def columns_of(words: Sequence[str], inputs: Sequence[str]) -> dict[str, list[str]]:
    """The names of the columns of each input, in the order in which they were named; nothing where none is named. Raises `DataError`."""
    found: dict[str, list[str]] = {}
    for word in words:
        names, _, name = word.rpartition("=")
        if not names or name not in inputs:
            raise DataError(f"--column {word}", expected=f"NAME=INPUT, with one of the inputs {', '.join(inputs)}")
        found.setdefault(name, []).extend(names.split(","))
    missing = [name for name in inputs if name not in found]
    if found and missing:
        raise DataError(f"no column for the input '{missing[0]}'", hint=f"add --column NAME={missing[0]}")
    return found
