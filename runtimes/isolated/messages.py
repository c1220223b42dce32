"""What the two processes say to each other.

A message has a few bytes and goes through a pipe: the call's number, and where in the shared memory a text lies (JSON), if there is one.
Most calls repeat the shapes of the last one, and need none.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple

from toolkit.core import Manifest, Signature

from ..base import Actual, SessionOptions
from .memory import Block

_MESSAGE = Struct("<QQQ")

NO_TEXT = 0
"""In place of a text's size: shapes are as in the last call."""
LOOK = 2**64 - 1
"""In place of a request's size: run nothing, answer with the peak of memory in bytes."""


class Message(NamedTuple):
    """Where the text of a message lies: its first byte and its size."""

    start: int = 0
    size: int = NO_TEXT

    def send(self, pipe: int, number: int) -> None:
        """Write it as that of a call, in one piece, as what is this short is. Raises `BrokenPipeError` where nobody reads any more."""
        os.write(pipe, _MESSAGE.pack(number, *self))


def receive(pipe: int) -> tuple[int, Message] | None:
    """Wait for a message: the call's number, and it. None where nobody can send one any more."""
    content = os.read(pipe, _MESSAGE.size)
    if not content:
        return None
    number, start, size = _MESSAGE.unpack(content)
    return number, Message(start, size)


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
