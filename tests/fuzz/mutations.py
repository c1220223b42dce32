"""Seeded damage to bytes and to JSON: what a bad disk, a bad transfer or a stranger may do to a file."""

from __future__ import annotations

import copy
import json
import struct
from random import Random
from typing import Any

ESCAPES = (
    "../../canary/secret.txt", "../canary", "/etc/passwd", "..", ".", "", "~/x", "a/../../canary/x", "\\\\host\\share", "C:\\x", "con",
)  # fmt: skip
TEXTS = (
    "a\0b", "a\nb\nc\nd\ne", "\x1b[31mred\x1b[2J", "[bold]x[/italic]", "%s%n{0}", "\u202egnp", "'; DROP", "é" * 9000, "A" * 90_000, " ",
    "nan", "inf", "-1", "1e999", "true", "null",
)  # fmt: skip
NUMBERS = (
    0, -1, 1, 2, 127, 255, 256, 65536, 2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63), 10**30, 0.5, -0.5, 1e-320,
    1e308, float("nan"), float("inf"), float("-inf"),
)  # fmt: skip
LENGTHS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0xFFFFFFF0, 0x80000000)


def mutate_bytes(data: bytes, random: Random) -> bytes:
    """One to four of: flips, a cut, an insertion, a repetition, zeros, a huge number in the place of any."""
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        data = random.choice((_flip, _flip, _cut, _insert, _repeat, _zero, _number, _number, _swap))(data, random)
    return data


def _flip(data: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice((1, 2, 8, 64))):
        if changed:
            changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _cut(data: bytes, random: Random) -> bytes:
    if random.random() < 0.3:
        return data[: random.choice((0, 1, 4, 8, 64))]
    return data[: random.randrange(len(data) + 1)]


def _insert(data: bytes, random: Random) -> bytes:
    place = random.randrange(len(data) + 1)
    return data[:place] + random.randbytes(random.choice((1, 3, 16, 4096))) + data[place:]


def _repeat(data: bytes, random: Random) -> bytes:
    start = random.randrange(len(data) + 1)
    return data[:start] + data[start : start + random.choice((1, 8, 512))] * random.choice((2, 50)) + data[start:]


def _zero(data: bytes, random: Random) -> bytes:
    start = random.randrange(len(data) + 1)
    count = min(random.choice((1, 4, 64, 4096)), len(data) - start)
    return data[:start] + bytes(count) + data[start + count :]


def _number(data: bytes, random: Random) -> bytes:
    kind = random.choice(("<I", "<H", ">I", "<Q"))
    limit = 2 ** (8 * struct.calcsize(kind)) - 1
    value = struct.pack(kind, min(limit, random.choice(LENGTHS)))
    # The beginning holds the tables, and aligned places the offsets.
    start = random.randrange(max(1, min(len(data), random.choice((64, 512, len(data) + 1))))) // 4 * 4
    return data[:start] + value + data[start + len(value) :]


def _swap(data: bytes, random: Random) -> bytes:
    a, b = sorted(random.randrange(len(data) + 1) for _ in range(2))
    return data[:a] + data[b:] + data[a:b]


def mutate_json(value: Any, random: Random) -> bytes:
    """A JSON text like `value` with one to three changes of its structure, of its values, or of the text itself."""
    value = copy.deepcopy(value)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        _change(value, random)
    text = json.dumps(value, indent=random.choice((None, 2)))
    return random.choice((_as_it_is,) * 12 + (_twice, _deep, _damaged, _surrogate, _sixteen))(text, random)


def mutate_toml(value: dict[str, Any], random: Random) -> bytes:
    """As `mutate_json`, in TOML; a change of the text itself nests, repeats or damages it."""
    value = copy.deepcopy(value)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        _change(value, random)
    text = toml_of(value)
    what = random.randrange(16)
    if what == 0:
        text += text
    elif what == 1:
        depth = random.choice((100, 5000, 200_000))
        text += random.choice(("x = " + "[" * depth, "x" + ".x" * depth + " = 1", "[" + "x." * depth + "x]", "x = " + "{x=" * depth)) + "\n"
    elif what == 2:
        text = text.replace(" = ", f" = {random.choice(('nan', '-inf', '2026-11-21', '0x_1', '9' * 5000))} #", 1)
    return mutate_bytes(text.encode("utf-8", "replace"), random) if what == 3 else text.encode("utf-8", "replace")


def toml_of(value: dict[str, Any]) -> str:
    """Flat values as TOML, most of which is written as in JSON."""
    return "".join(f"{json.dumps(str(name))} = {json.dumps(item)}\n" for name, item in value.items())


def _change(value: Any, random: Random) -> None:
    """Change one place, whichever it is: each container is as likely as its number of entries."""
    places = [*_places(value)]
    if not places:
        return
    owner, key = random.choice(places)
    old = owner[key]
    what = random.randrange(8)
    if what == 0:
        del owner[key]
    elif what == 1 and isinstance(owner, dict):
        owner[strange(random, like=key)] = owner.pop(key)
    elif what == 2 and isinstance(owner, list):
        owner.extend([old] * random.choice((1, 3, 5000)))
    elif what == 3:
        owner[key] = random.choice(([], {}, [old], {"x": old}, None, True, [[]], {"": {}}))
    else:
        owner[key] = strange(random, like=old)


def _places(value: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    pending = [value]
    while pending:
        now = pending.pop()
        entries = [*(now.items() if isinstance(now, dict) else enumerate(now) if isinstance(now, list) else ())]
        found += [(now, key) for key, _ in entries]
        pending += [item for _, item in entries]
    return found


def strange(random: Random, *, like: Any = None) -> Any:
    """A value that no writer would write; mostly of the same kind as `like`, so that it passes the first check."""
    if isinstance(like, str) and random.random() < 0.8:
        return random.choice((*ESCAPES, *TEXTS, like + "\0", like.upper(), like[:-1], f"../{like}", f"{like}/../x"))
    if isinstance(like, int | float) and random.random() < 0.8:
        return random.choice(NUMBERS)
    return random.choice((*NUMBERS, *ESCAPES, *TEXTS, None, True, False))


def _as_it_is(text: str, random: Random) -> bytes:
    return text.encode()


def _twice(text: str, random: Random) -> bytes:
    """Duplicated keys: the whole object's members, then other values for some of them."""
    inner = text.strip()[1:-1]
    return f'{{{inner}, "files": {{"../x": "0"}}, "schema": 1, "model": "other", {inner.lstrip()}}}'.encode()


def _deep(text: str, random: Random) -> bytes:
    depth = random.choice((100, 5000, 200_000))
    start, end = random.choice((("[", "]"), ('{"a":', "}")))
    return text.replace("[", start * depth + "0" + end * depth + random.choice(("", ",[")), 1).encode()


def _damaged(text: str, random: Random) -> bytes:
    return mutate_bytes(text.encode(), random)


def _surrogate(text: str, random: Random) -> bytes:
    return text.replace('": "', '": "' + random.choice(("\\ud800", "\\u0000", "\\udfff\\ud800")), 1).encode()


def _sixteen(text: str, random: Random) -> bytes:
    return text.encode(random.choice(("utf-16", "utf-32", "utf-8-sig")))
