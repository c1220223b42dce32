"""The few lines that read a protocol buffer without its library: the messages and texts in a message, by the numbers of their fields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

Message = TypeVar("Message", bytes, memoryview)


def first(message: Message, number: int) -> Message:
    """The first of `fields`, empty where there is none."""
    return next(fields(message, number), message[:0])


def fields(message: Message, wanted: int) -> Iterator[Message]:
    """The length-delimited fields with this number of a protocol buffer, in order; raises `IndexError` or `ValueError` for none."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        kind = key & 7
        if kind == 0:
            _, position = _varint(message, position)
        elif kind in {1, 5}:
            position += 8 if kind == 1 else 4
        elif kind == 2:
            size, position = _varint(message, position)
            if position + size > len(message):
                raise ValueError("cut short")
            if key >> 3 == wanted:
                yield message[position : position + size]
            position += size
        else:
            raise ValueError("no protocol buffer")


def _varint(message: bytes | memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position
        if shift > 63:
            raise ValueError("no protocol buffer")
