"""The text of GTP: commands in, replies out (Farnebäck 2002, "GTP Version 2, draft 2", sections 2.5 to 2.11)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from ..games import FIRST, SECOND

MAX_LINE = 65536  # characters; a whole game in one command fits many times

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_COMMAND = re.compile(r"(?:(\d+)(?:\s+|$))?(\S*)\s*(.*)")

COLOURS = {"b": FIRST, "black": FIRST, "w": SECOND, "white": SECOND}
NAMES = ("B", "W")


@dataclass(frozen=True)
class Command:
    """One command: its number as text, empty if it has none, its name, and its arguments."""

    number: str
    name: str
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Reply:
    """What an engine answered: whether it could (``=``) and the text, without the number."""

    ok: bool
    text: str


def clean(line: str) -> str:
    """A line without control characters, comment and outer spaces; tabs are spaces (section 2.5)."""
    return _CONTROL.sub("", line.partition("#")[0]).replace("\t", " ").replace("\n", " ").strip()


def parse_command(line: str) -> Command | None:
    """The command of a line, or None if nothing is on it."""
    text = clean(line)
    if not text:
        return None
    number, name, arguments = _COMMAND.fullmatch(text).groups()  # type: ignore[union-attr] # matches any line
    return Command(number or "", name, tuple(arguments.split()))


def format_reply(number: str, reply: Reply) -> str:
    """A reply as it goes over the pipe; it ends with an empty line, so none may be inside."""
    body = "\n".join(line for line in _CONTROL.sub("", reply.text).split("\n") if line.strip())
    return f"{'=' if reply.ok else '?'}{number}{' ' if body else ''}{body}\n\n"


def read_lines(stream: IO[str]) -> Iterator[str]:
    """The lines of a stream until its end; of a line longer than `MAX_LINE`, the rest is thrown away unread into memory."""
    while line := stream.readline(MAX_LINE):
        yield line
        while not line.endswith("\n") and line:
            line = stream.readline(MAX_LINE)


def read_replies(stream: IO[str]) -> Iterator[tuple[str, Reply]]:
    """Numbers and replies as an engine writes them; what is written outside of replies is passed over."""
    head: re.Match[str] | None = None
    lines: list[str] = []
    for raw in read_lines(stream):
        line = _CONTROL.sub("", raw).replace("\t", " ").rstrip()
        if head is None:
            head = re.match(r"([=?])(\d*)\s*(.*)", line)
            lines = [head[3]] if head else []
        elif line:
            lines.append(line)
        else:
            yield head[2], Reply(ok=head[1] == "=", text="\n".join(lines).strip())
            head = None
