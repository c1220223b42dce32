"""Reading a flatbuffer by its schema: tables whose fields have the names that an ``.fbs`` file gives them."""

from __future__ import annotations

import mmap
import re
import struct
from dataclasses import dataclass

Data = bytes | mmap.mmap


@dataclass(frozen=True)
class Field:
    """A field of a table."""

    slot: int
    """Its place in the table's directory."""
    kind: str
    """A type of numbers, ``string``, or the name of a table or union."""
    is_list: bool


_SIZES = {"byte": 1, "ubyte": 1, "int8": 1, "uint8": 1, "bool": 1, "string": 1, "short": 2, "ushort": 2, "int16": 2, "uint16": 2}
_SIZES |= {"int": 4, "uint": 4, "int32": 4, "uint32": 4, "float": 4, "float32": 4}
_SIZES |= {"long": 8, "ulong": 8, "int64": 8, "uint64": 8, "double": 8, "float64": 8}
"""Bytes of an element of a list; a letter of a string is one."""


class Schema:
    """The tables and unions of an ``.fbs`` text."""

    def __init__(self, text: str) -> None:
        plain = re.sub(r"//.*|\([^)]*\)", "", text)
        # A member stands for the table of its own name unless it names another.
        self.unions = {
            name: [(member, table or member) for member, table in re.findall(r"(\w+)\s*(?::\s*(\w+))?\s*,?", body)]
            for name, body in re.findall(r"\bunion (\w+)\s*\{(.*?)\}", plain, re.DOTALL)
        }
        self.tables: dict[str, dict[str, Field]] = {}
        for name, body in re.findall(r"\btable (\w+)\s*\{(.*?)\}", plain, re.DOTALL):
            fields: dict[str, Field] = {}
            slot = 0
            for field, bracket, kind in re.findall(r"(\w+)\s*:\s*(\[?)\s*(\w+)", body):
                slot += kind in self.unions  # A union takes two places: first which member it is.
                fields[field] = Field(slot, kind, bool(bracket))
                slot += 1
            self.tables[name] = fields


@dataclass(frozen=True)
class Table:
    """A table of type `name` at byte `position` of `data`; what a file does not hold is 0, empty or absent.

    Every method raises `IndexError` or `struct.error` where an offset points outside the data.
    """

    schema: Schema
    name: str
    data: Data
    position: int

    @classmethod
    def root(cls, schema: Schema, name: str, data: Data) -> Table:
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

    def numbers(self, field: str, kind: str = "i") -> tuple[int, ...]:
        """A list of numbers of the `struct` type `kind`."""
        start, count = self._list(field)
        return struct.unpack_from(f"<{count}{kind}", self.data, start) if count else ()

    def length(self, field: str) -> int:
        """How many elements a list has."""
        return self._list(field)[1]

    def text(self, field: str) -> str:
        """A string."""
        start, count = self._list(field)
        return self.data[start : start + count].decode()

    def table(self, field: str) -> Table:
        """A table; raises `KeyError` where there is none."""
        found = self.schema.tables[self.name][field]
        return self._at(found.kind, self._place(found.slot))

    def all(self, field: str) -> list[Table]:
        """A list of tables."""
        start, count = self._list(field)
        kind = self.schema.tables[self.name][field].kind
        return [self._at(kind, start + 4 * index) for index in range(count)]

    def member(self, field: str) -> tuple[str, Table]:
        """Which member of a union is there, and its table; raises `KeyError` for one that the schema does not know."""
        found = self.schema.tables[self.name][field]
        number = _number(self.data, self._place(found.slot - 1), "B")
        members = self.schema.unions[found.kind]
        if not 0 < number <= len(members):
            raise KeyError(f"{found.kind} number {number}")
        name, table = members[number - 1]
        return name, self._at(table, self._place(found.slot))

    def check(self) -> None:
        """Follow every offset that the schema knows, each table once; raises `IndexError` or `struct.error` where one leads outside."""
        seen: set[tuple[str, int]] = set()
        pending = [self]
        while pending:
            table = pending.pop()
            if (table.name, table.position) not in seen:
                seen.add((table.name, table.position))
                pending += table._checked()

    def _checked(self) -> list[Table]:
        """The tables below, after what else this one holds was found to lie inside."""
        directory = self.position - _number(self.data, self.position, "i")
        size, own = _number(self.data, directory, "H"), _number(self.data, directory + 2, "H")
        if directory + size > len(self.data) or self.position + own > len(self.data):
            raise IndexError(self.position)
        below: list[Table] = []
        for name, field in self.schema.tables[self.name].items():
            place = self._place(field.slot)
            if not place:
                continue
            if field.kind in self.schema.tables:
                below += self.all(name) if field.is_list else [self.table(name)]
            elif field.kind in _SIZES and (field.is_list or field.kind == "string"):
                start, count = self._list(name)
                if start + count * _SIZES[field.kind] > len(self.data):
                    raise IndexError(start)
        return below

    def _slot(self, field: str) -> int:
        return self.schema.tables[self.name][field].slot

    def _at(self, kind: str, place: int) -> Table:
        if not place:
            raise KeyError(kind)
        return Table(self.schema, kind, self.data, place + _number(self.data, place, "I"))

    def _list(self, field: str) -> tuple[int, int]:
        """Where the first element of a list or string stands, and how many there are; no more than there are bytes."""
        place = self._place(self._slot(field))
        if not place:
            return 0, 0
        start = place + _number(self.data, place, "I")
        count = _number(self.data, start, "I")
        if start + 4 + count > len(self.data):
            raise IndexError(start)
        return start + 4, count

    def _place(self, slot: int) -> int:
        """Where the field in that slot stands; 0 where it is absent."""
        directory = self.position - _number(self.data, self.position, "i")
        entry = 4 + 2 * slot
        offset = _number(self.data, directory + entry, "H") if entry < _number(self.data, directory, "H") else 0
        return self.position + offset if offset else 0


def _number(data: Data, position: int, kind: str) -> int:
    if position < 0:
        raise IndexError(position)
    return int(struct.unpack_from(f"<{kind}", data, position)[0])
