"""What is known of each file format, one module a format: found, never listed.

Above the core and below converters and engines, which both read the same files.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from toolkit.core import Format, InputError, Precision, artifact_name, discover

from .base import FileFormat, Layer, Start

__all__ = ["FileFormat", "Layer", "Start", "all_formats", "find_format", "format_of", "source_formats", "trained_names"]


def all_formats() -> tuple[FileFormat, ...]:
    """Every format, sorted by name."""
    return discover("toolkit.formats", FileFormat)


@cache
def find_format(format: Format) -> FileFormat:
    """What is known of a format."""
    return next(each for each in all_formats() if each.format is format)


def format_of(path: Path) -> Format:
    """The format of a bare model file, which mostly the end of its name says; raises `InputError`."""
    for each in all_formats():
        if each.owns(path):
            return each.format
    raise InputError(
        f"cannot tell the format of '{path}'",
        expected=f"a file ending in {', '.join(suffix for each in all_formats() for suffix in each.suffixes)}",
        got=f"'{path.suffix or path.name}'",
    )


def source_formats() -> tuple[FileFormat, ...]:
    """The formats with which a bundle can start, the one that counts before the others first."""
    starts = [(each.start.order, each) for each in all_formats() if each.start is not None]
    return tuple(each for _, each in sorted(starts, key=lambda start: start[0]))


def trained_names() -> tuple[str, ...]:
    """The names of the artifacts with which bundles start, in the order of `source_formats`: those in float, then those of formats that
    others are made into as well, which may be in integers already.
    """
    floats = tuple(artifact_name(each.format, Precision.FP32) for each in source_formats())
    integers = [precision for precision in Precision if precision.is_quantized]
    stored = [each.format for each in source_formats() if each.start and not each.start.always]
    return (*floats, *(artifact_name(format, precision) for format in stored for precision in integers))
