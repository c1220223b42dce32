"""What every reader of users' data must do, whatever the data are."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import chdir
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from toolkit.cli.convert import command
from toolkit.core import DataError, InputError, Signature, TensorSpec, cache_home
from toolkit.pipeline.data import DataReader, Found, Given, Wanted, all_readers, find_reader


@dataclass(frozen=True)
class Example:
    """Small real data of one kind.

    Args:
        given: what a user names, from the folder that they lie in.
        signature: of a network that they fit.
        damage: makes them unreadable, where they are files.
        told: what is then said.
    """

    given: Given
    signature: Signature
    damage: Callable[[], None] | None = None
    told: str = ""


def check_reader(reader: DataReader, example: Example, folder: Path) -> None:
    """All below, with the example's data in `folder`."""
    with chdir(folder):
        check_names(reader)
        check_is_found(reader, example)
        found = check_samples(reader, example)
        check_from_elsewhere(reader, example, found)
        check_other_network(reader, example)
        check_damaged(reader, example)
        check_gone(reader, example)


def check_names(reader: DataReader) -> None:
    """Messages and the help of ``--data`` say what it takes."""
    assert reader.name
    assert reader.takes
    (option,) = (each for each in command.params if each.name == "data")
    assert reader.example in getattr(option, "help", "")


def check_is_found(reader: DataReader, example: Example) -> None:
    """By its word, and no other reader says so with the same right."""
    assert find_reader(example.given.word) is reader
    assert [each for each in all_readers() if each.owns(example.given.word) and each.rank >= reader.rank] == [reader]
    assert not reader.owns("no such thing")


def check_samples(reader: DataReader, example: Example) -> Found:
    """They fit, have targets for every row, and are the same each time."""
    wanted = Wanted(signature=example.signature)
    found = reader.read(example.given, wanted)
    for part in (found.samples, found.tests):
        if part is not None:
            assert len(part) > 0
            assert part.fit(example.signature).sha256 == part.sha256
            assert part.targets is None or len(part.targets) == len(part)
            assert part.origin
    assert reader.read(example.given, wanted).samples.sha256 == found.samples.sha256
    return found


def check_from_elsewhere(reader: DataReader, example: Example, found: Found) -> None:
    """The word that a bundle remembers means the same in any folder."""
    word = reader.absolute(example.given.word)
    path = reader.path(example.given.word)
    with chdir(os.sep):
        assert find_reader(word) is reader
        again = reader.read(replace(example.given, word=word), Wanted(signature=example.signature))
        assert again.samples.sha256 == found.samples.sha256
        assert path is None or reader.path(word) is not None


def check_other_network(reader: DataReader, example: Example) -> None:
    """A network with other inputs is refused in one line."""
    other = Signature((TensorSpec("other", "float32", ("batch", 3, 5, 7, 11)), TensorSpec("more", "int64", ("batch", 2))), ())
    with pytest.raises(DataError) as caught:
        reader.read(example.given, Wanted(signature=other))
    assert len(str(caught.value).splitlines()) == 1


def check_damaged(reader: DataReader, example: Example) -> None:
    """What cannot be read is one line, and leaves nothing half-written in the cache."""
    if example.damage is None:
        return
    example.damage()
    before = _cached()
    with pytest.raises(DataError, match=example.told) as caught:
        reader.read(example.given, Wanted(signature=example.signature))
    assert len(str(caught.value).splitlines()) == 1
    assert _cached() == before


def check_gone(reader: DataReader, example: Example) -> None:
    """What is not there any more is called by its name."""
    path = reader.path(example.given.word)
    if path is None:
        return
    path.rename(moved := path.with_name("moved away"))
    with pytest.raises(InputError) as caught:
        reader.read(example.given, Wanted(signature=example.signature))
    assert path.name in str(caught.value)
    moved.rename(path)


def _cached() -> list[Path]:
    return sorted(path for path in cache_home().rglob("*") if path.parent.name != "kernels") if cache_home().is_dir() else []
