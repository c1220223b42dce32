"""What every file format must do, whatever its files are made of."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from toolkit.converters.planner import all_converters
from toolkit.core import ArtifactError, MissingDependencyError
from toolkit.core.files import is_plain_name
from toolkit.formats import FileFormat, all_formats, find_format, format_of
from toolkit.runtimes import find_runtime, runtimes_for

CUTS = 25
HEADERS = ((0, 64), (0, 4), (8, 64), (12, 64), (16, 40))
"""Bytes that are made the largest numbers there are: the first of these no format survives."""


def check_format(about: FileFormat, file: Path, foreign: Iterable[bytes], folder: Path) -> None:
    """All below.

    Args:
        about: what is known of the format.
        file: a small real file of it, what belongs to it beside it.
        foreign: the content of files of every other format, and of none.
        folder: an empty one, for damaged copies.
    """
    check_names(about)
    check_engines(about)
    check_reading(about, file)
    check_refusals(about, file, foreign, folder)


def check_names(about: FileFormat) -> None:
    """It is found by its name and by its files' names, which no other format has."""
    assert find_format(about.format) is about
    assert about.name == about.format.value
    assert about.title
    assert about.suffixes
    for suffix in about.suffixes:
        assert suffix == suffix.lower()
        assert suffix.startswith(".")
        assert format_of(Path(f"net{suffix.upper()}")) is about.format
    assert Path(about.format.file_name).suffix in about.suffixes
    others = [each for each in all_formats() if each is not about]
    assert about.title not in [each.title for each in others]
    assert not {*about.suffixes} & {suffix for each in others for suffix in each.suffixes}


def check_engines(about: FileFormat) -> None:
    """Its engine is known and runs it, before all others; so is the reference, and what is always a start, no converter makes."""
    assert about.format in find_runtime(about.default_engine).formats
    here = runtimes_for(about.format)
    if find_runtime(about.default_engine).is_installed():
        assert here[0].name == about.default_engine
    if about.start is not None:
        assert about.format in find_runtime(about.start.reference).formats
        assert [each.start.order for each in all_formats() if each.start].count(about.start.order) == 1
        assert about.start.always == all(converter.target.format is not about.format for converter in all_converters())


def check_reading(about: FileFormat, file: Path) -> None:
    """A real file is one, its files are there, its operators add up and its layers have names of their own."""
    about.check(file)
    files = about.files(file.parent if about.is_folder else file)
    assert about.format.file_name in files
    assert all(is_plain_name(name) and path.is_file() for name, path in files.items())
    with contextlib.suppress(MissingDependencyError):
        found = about.operators(file)
        assert found.total == sum(found.by_type.values()) > 0
        assert 0 <= found.quantized <= found.total
    with contextlib.suppress(MissingDependencyError):
        layers = about.layers(file)
        assert len({layer.name for layer in layers}) == len(layers)
        assert all(layer.name and layer.kind and layer.multiply_adds >= 0 for layer in layers)


def check_refusals(about: FileFormat, file: Path, foreign: Iterable[bytes], folder: Path) -> None:
    """What is missing, empty, cut, of another kind, or full of the largest numbers is refused in one line."""
    copy = folder / "model" / file.name
    shutil.copytree(file.parent, copy.parent)
    content = file.read_bytes()
    about.check(copy)
    cut = [content[: len(content) * part // CUTS] for part in range(CUTS)]
    huge = [content[:start] + b"\xff" * (end - start) + content[end:] for start, end in HEADERS]
    for number, damaged in enumerate([*cut, *foreign, huge[0]]):
        copy.write_bytes(damaged)
        refused(about, copy, f"damage {number}")
        with contextlib.suppress(ArtifactError, MissingDependencyError):
            about.operators(copy)
    for damaged in [*huge[1:], content[:-22] + b"\xff" * 22]:
        copy.write_bytes(damaged)
        with contextlib.suppress(ArtifactError):
            about.check(copy)
    copy.unlink()
    refused(about, copy, "no file", "no model file")


def refused(about: FileFormat, file: Path, what: str, message: str = "") -> None:
    """The refusal is one clear line that names the file."""
    try:
        about.check(file)
    except ArtifactError as error:
        text = str(error)
    else:
        pytest.fail(f"{what} was taken for {about.title}")
    assert message in text
    assert file.name in text, what
    assert "\n" not in text, what
    assert "expected" in text, what
