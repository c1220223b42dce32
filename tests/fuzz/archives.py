"""Damage to archives: the zip of a ``.pt2``, NumPy's files, safetensors; among it pickles that would write a file if anyone ran them."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import struct
import zipfile
from pathlib import Path
from random import Random

from .mutations import NUMBERS, mutate_bytes, mutate_json


class Trap:
    """Unpickled, it makes the file `spring`."""

    def __init__(self, spring: Path) -> None:
        self.spring = spring

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.spring), "w")


def pt2_mutant(data: bytes, random: Random, spring: Path) -> bytes:
    """A ``.pt2`` with other members, names that lead out of it, pickles, changed programs, or damaged bytes."""
    if random.random() < 0.25:
        return mutate_bytes(data, random)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    root = next(iter(members)).partition("/")[0]
    what = random.randrange(9)
    name = random.choice([*members])
    if what == 0:
        members[
            random.choice((f"{root}/../../canary/x", "../x", "/etc/x", f"{root}/data/../../x", f"{root}/extra/../../../x", f"{root}/\n"))
        ] = b"x"
    elif what == 1:
        members[
            random.choice(
                (name, f"{root}/data/sample_inputs/model.pt", f"{root}/data/weights/weight_0", f"{root}/data/constants/custom_obj_0")
            )
        ] = pickle.dumps(Trap(spring), protocol=random.choice((0, 2, 4)))
    elif what == 2:
        del members[name]
    elif what == 3:
        members[name] = mutate_bytes(members[name], random)
    elif what <= 7:
        programs = [each for each in members if each.endswith(".json")]
        chosen = random.choice(programs)
        if what == 7:
            members[chosen] = _planted(members[chosen], random, spring)
        else:
            members[chosen] = mutate_json(json.loads(members[chosen]), random)
    else:
        members[f"{root}/data/aotinductor/model/x.so"] = b"\x7fELF"
    return _zip(members, compressed=random.random() < 0.1)


def _planted(program: bytes, random: Random, spring: Path) -> bytes:
    """Python where torch would evaluate it."""
    code = f"__import__('pathlib').Path({str(spring)!r}).touch()"
    text = program.decode()
    target = random.choice(("torch.ops.aten.", '"name": "', "s0", "Symbol("))
    planted = {
        "torch.ops.aten.": text.replace("torch.ops.aten.", "torch.os.system.", 1),
        '"name": "': text.replace('"name": "', f'"name": "x = {json.dumps(code)[1:-1]}; ', 1),
        "s0": text.replace("Symbol(", f"{json.dumps(code)[1:-1]} or Symbol(", 1),
        "Symbol(": text.replace('"guards_code": [', f'"guards_code": [{json.dumps(code)}, ', 1),
    }
    return planted[target].encode()


def _zip(members: dict[str, bytes], *, compressed: bool) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return sink.getvalue()


def pt_mutant(data: bytes, random: Random, spring: Path) -> bytes:
    """A ``.pt`` of weights whose pickle holds more, or whose bytes are damaged."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = random.choice([*members])
    what = random.randrange(4)
    if what == 0:
        return mutate_bytes(data, random)
    if what == 1:
        return pickle.dumps(Trap(spring), protocol=random.choice((0, 2, 4)))
    if what == 2:
        name = next(each for each in members if each.endswith("data.pkl"))
        members[name] = pickle.dumps({"weight": Trap(spring)}, protocol=2)
    else:
        members[name] = mutate_bytes(members[name], random)
    return _zip(members, compressed=False)


def npz_mutant(data: bytes, random: Random, spring: Path) -> bytes:
    """A ``.npz`` of samples with pickled objects, lies in its headers, other names, or damaged bytes."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = random.choice([*members])
    what = random.randrange(7)
    if what == 0:
        return mutate_bytes(data, random)
    if what == 1:
        members[name] = npy_mutant(members[name], random, spring)
    elif what == 2:
        members[random.choice(("../x.npy", "/x.npy", "x", "\n.npy", "targets.npy", "y.npy"))] = members.pop(name)
    elif what == 3:
        members[name] = mutate_bytes(members[name], random)
    elif what == 4:
        members[name] = b""
    elif what == 5:
        # Little in the file, much in memory.
        header = str({"descr": "<f4", "fortran_order": False, "shape": (2**26, 64)}).encode()
        members["x.npy"] = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(2**24)
        return _zip(members, compressed=True)
    else:
        members[name] = npy_mutant(members[name], random, spring)
        members["other.npy"] = members[name]
    return _zip(members, compressed=random.random() < 0.5)


def npy_mutant(data: bytes, random: Random, spring: Path) -> bytes:
    """A ``.npy`` whose header promises something else."""
    if random.random() < 0.3:
        return mutate_bytes(data, random)
    shapes = ((2**40, 64), (2**62, 2**62), (-1, 64), (0, 64), (3,), (), (3, 64, 1), (1,) * 40, (3, 2**31), (True, 64))
    header: dict[str, object] = {
        "descr": random.choice(("<f4", "<f4", "|O", "<f8", "|S5", "<U9", "<M8[ns]", "|V16", ">f4", "<c16", "|b1", [("a", "<f4")], "x", 5)),
        "fortran_order": random.choice((False, True, "no")),
        "shape": random.choice((*shapes, (3, 64), (3, 64))),
    }
    text = str(header).encode()
    if random.random() < 0.2:
        text = random.choice((b"__import__('os').system('x')", b"(" * 5000, b"{", b"{'descr': '<f4'}", b"9" * 50_000))
    body = pickle.dumps([Trap(spring)]) if header["descr"] == "|O" else data[128:]
    version = random.choice((1, 1, 2, 9))
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text + body


def field_mutant(data: bytes, random: Random, spring: Path) -> bytes:
    """A field bundle with other inputs, answers, manifests or names, or damaged bytes; what it says of itself often fits."""
    if random.random() < 0.2:
        return mutate_bytes(data, random)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = random.choice([*members])
    what = random.randrange(5)
    if what == 0:
        evil = random.choice(("../canary/secret.txt", "/etc/x", "onnx-fp32/../../x", "\\x", "onnx-fp32/\n", "a" * 300, "inputs.npz/x"))
        members[evil] = b"x"
    elif what == 1:
        del members[name]
    elif name.endswith(".json"):
        members[name] = mutate_json(json.loads(members[name]), random)
    elif name.endswith(".npz"):
        members[name] = npz_mutant(members[name], random, spring)
    else:
        members[name] = mutate_bytes(members[name], random)
    if what == 2:
        contents = json.loads(members["contents.json"])
        if isinstance(contents, dict):
            contents["expected_sha256"] = hashlib.sha256(members["expected.npz"]).hexdigest()
            members["contents.json"] = json.dumps(contents).encode()
    return _zip(members, compressed=random.random() < 0.5)


def safetensors_mutant(data: bytes, random: Random) -> bytes:
    """A safetensors file with another header."""
    if random.random() < 0.4:
        return mutate_bytes(data, random)
    (length,) = struct.unpack("<Q", data[:8])
    header = mutate_json(json.loads(data[8 : 8 + length]), random)
    count = len(header) if random.random() < 0.8 else max(0, min(2**64 - 1, int(random.choice([n for n in NUMBERS if isinstance(n, int)]))))
    return struct.pack("<Q", count) + header + data[8 + length :]
