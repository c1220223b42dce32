"""Answers that are kept in the user's cache as JSON, under a name that says all that decided them."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TypeVar

import msgspec

from .errors import StorageError
from .files import mark_used, write_file
from .reading import decode_json, read_file

T = TypeVar("T")


def read_answer(file: Path, type: type[T]) -> T | None:
    """What `keep_answer` kept in the user's cache, marked as used; None where nothing can be read."""
    try:
        found = decode_json(read_file(file), type)
    except (OSError, msgspec.DecodeError):
        return None
    mark_used(file)
    return found


def keep_answer(file: Path, answer: object) -> None:
    """Keep an answer in the user's cache; one that cannot be written must not undo the work, which is done again the next time."""
    with contextlib.suppress(StorageError):
        write_file(file, msgspec.json.encode(answer))
