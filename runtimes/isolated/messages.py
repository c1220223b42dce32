"""What the two processes say to each other.

A message has a few bytes and goes through a pipe: the call's number, and where in the shared memory a text lies (JSON), if there is one.
Most calls repeat the shapes of the last one, and need none.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from struct import Struct

from toolkit.core import Manifest, Signature

from ..base import Actual, SessionOptions
from .memory import Block

_MESSAGE = Struct("<QQQ")

NO_TEXT = 0
"""In place of a text's size: shapes are as in the last call."""
LOOK = 2**64 - 1
"""In place of a request's size: run nothing, answer with the peak of memory in bytes."""


Message = tuple[int, int, int]
"""The call's number, and the first byte and the size of a text."""


def send(pipe: int, number: int, start: int = 0, size: int = NO_TEXT) -> None:
    """Write a message in one piece, as what is this short is. Raises `BrokenPipeError` where nobody reads any more."""
    os.write(pipe, _MESSAGE.pack(number, start, size))


def receive(pipe: int) -> Message | None:
    """Wait for a message; None where nobody can send one any more."""
    content = os.read(pipe, _MESSAGE.size)
    return _MESSAGE.unpack(content) if content else None


@dataclass(frozen=True)
class Opening:
    """What the engine's process is to open, the first line of its standard input.

    Args:
        engine: its name.
        path: of an artifact's folder, or of a bare file.
        manifest: of an artifact; None for a bare file.
        options: as for `Runtime.open`.
        requests: descriptor of the pipe that it reads.
        answers: descriptor of the pipe that it writes.
        memory: descriptor of the shared memory.
    """

    engine: str
    path: str
    manifest: Manifest | None
    options: SessionOptions
    requests: int = -1
    answers: int = -1
    memory: int = -1


@dataclass(frozen=True)
class Opened:
    """What the engine's process has opened."""

    signature: Signature
    actual: Actual


@dataclass(frozen=True)
class Arrangement:
    """Where the inputs of a call lie, and from which byte on its outputs may."""

    inputs: tuple[Block, ...]
    free: int


@dataclass(frozen=True)
class Answer:
    """What came of a call, or of the opening: where the outputs lie, or the class and text of an error."""

    outputs: tuple[Block, ...] = ()
    opened: Opened | None = None
    error: str = ""
    text: str = ""
