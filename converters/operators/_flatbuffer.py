"""Reading a flatbuffer by its schema: tables whose fields have the names that an ``.fbs`` file gives them."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass


class Schema:
    """The tables and unions of an ``.fbs`` text."""

    def __init__(self, text: str) -> None:
        plain = re.sub(r"//.*|\([^)]*\)", "", text)
        # A member stands for the table of its own name unless it names another.
        self.unions = {
            name: [(member, table or member) for member, table in re.findall(r"(\w+)\s*(?::\s*(\w+))?\s*,?", body)]
            for name, body in re.findall(r"\bunion (\w+)\s*\{(.*?)\}", plain, re.DOTALL)
        }
        self.tables: dict[str, dict[str, tuple[int, str]]] = {}
        for name, body in re.findall(r"\btable (\w+)\s*\{(.*?)\}", plain, re.DOTALL):
            slots: dict[str, tuple[int, str]] = {}
            slot = 0
            for field, kind in re.findall(r"(\w+)\s*:\s*\[?\s*(\w+)", body):
                slot += kind in self.unions  # A union takes two places: first which member it is.
                slots[field] = (slot, kind)
                slot += 1
            self.tables[name] = slots


@dataclass(frozen=True)
class Table:
    """A table of type `name` at byte `position` of `data`; what a file does not hold is 0, empty or absent."""

    schema: Schema
    name: str
    data: bytes
    position: int

    @classmethod
    def root(cls, schema: Schema, name: str, data: bytes) -> Table:
        """The table that a flatbuffer begins with."""
        return cls(schema, name, data, _number(data, 0, "I"))

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields that the schema knows."""
        return tuple(self.schema.tables[self.name])

    def number(self, field: str, kind: str = "I") -> int:
        """A number of the `struct` type `kind`."""
        place = self._place(self._slot(field))
        return _number(self.data, place, kind) if place else 0

    def text(self, field: str) -> str:
        """A string."""
        place = self._place(self._slot(field))
        if not place:
            return ""
        start = place + _number(self.data, place, "I")
        return self.data[start + 4 : start + 4 + _number(self.data, start, "I")].decode()

    def table(self, field: str) -> Table:
        """A table; raises `KeyError` where there is none."""
        slot, kind = self.schema.tables[self.name][field]
        return self._at(kind, self._place(slot))

    def all(self, field: str) -> list[Table]:
        """A list of tables."""
        slot, kind = self.schema.tables[self.name][field]
        place = self._place(slot)
        if not place:
            return []
        start = place + _number(self.data, place, "I")
        return [self._at(kind, start + 4 + 4 * index) for index in range(_number(self.data, start, "I"))]

    def member(self, field: str) -> tuple[str, Table]:
        """Which member of a union is there, and its table; raises `KeyError` for one that the schema does not know."""
        slot, union = self.schema.tables[self.name][field]
        number = _number(self.data, self._place(slot - 1), "B")
        members = self.schema.unions[union]
        if not 0 < number <= len(members):
            raise KeyError(f"{union} number {number}")
        name, table = members[number - 1]
        return name, self._at(table, self._place(slot))

    def _slot(self, field: str) -> int:
        return self.schema.tables[self.name][field][0]

    def _at(self, kind: str, place: int) -> Table:
        if not place:
            raise KeyError(kind)
        return Table(self.schema, kind, self.data, place + _number(self.data, place, "I"))

    def _place(self, slot: int) -> int:
        """Where the field in that slot stands; 0 where it is absent."""
        directory = self.position - _number(self.data, self.position, "i")
        entry = 4 + 2 * slot
        offset = _number(self.data, directory + entry, "H") if entry < _number(self.data, directory, "H") else 0
        return self.position + offset if offset else 0


def _number(data: bytes, position: int, kind: str) -> int:
    if position < 0:
        raise IndexError(position)
    return int(struct.unpack_from(f"<{kind}", data, position)[0])
