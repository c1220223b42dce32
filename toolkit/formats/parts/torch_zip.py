"""The zip archives that torch writes, read so strictly that torch cannot see other members in them, and what is pickled there."""

from __future__ import annotations

import io
import pickletools
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from toolkit.core import ArtifactError

TENSOR_PICKLE = re.compile(
    r"collections OrderedDict|torch\._utils _rebuild_(tensor_v2|parameter)|torch (\w+Storage|Size|device)|torch\.nn\.parameter Parameter"
)
"""The classes, as pickles name them, that are in a file of tensors alone."""
FOREIGN_OPCODES = frozenset({"STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4"})
"""Instructions of a pickle that name a class in another way than torch writes."""
MOST_MEMBERS = 100_000
"""Of an archive: a network of many experts has tens of thousands of tensors."""
_MOST_BYTES = 4 * 2**20
"""Of a pickle whose classes are looked for."""
_MOST_PICKLES = 5
"""In a file of torch 1.5 or older: a magic number, a version, the machine, the objects, the tensors' names."""


def strict_members(stream: IO[bytes]) -> dict[str, zipfile.ZipInfo] | None:
    """Members by their name below the one root folder; None for a zip that two readers could understand differently, or with
    more than `MOST_MEMBERS`.
    """
    with zipfile.ZipFile(stream) as archive:
        infos, comment = archive.infolist(), archive.comment
        if len(infos) > MOST_MEMBERS:
            return None
        for info in infos:
            archive.open(info).close()  # Its own header says the same of it as the directory.
    stream.seek(-22, io.SEEK_END)
    roots = {info.filename.partition("/")[0] for info in infos}
    names = {info.filename.partition("/")[2].lower() for info in infos}
    strict = (
        stream.read(4) == b"PK\5\6"
        and not comment
        and len(roots) == 1
        and len(names) == len(infos)
        and min(info.header_offset for info in infos) == 0
        and not any(info.flag_bits & 1 for info in infos)
    )
    return {info.filename.partition("/")[2]: info for info in infos} if strict else None


def unsafe(file: Path, what: str, *, expected: str) -> ArtifactError:
    """The refusal of an archive for what was found in it."""
    return ArtifactError(
        f"'{file}' is refused, it could run code when it is loaded",
        expected=expected,
        got=what[:200],
        hint="export the network again, or ask its author for ONNX",
    )


def pickled_class(file: Path) -> str:
    """A class that a file of ``torch.save``, of any age and protocol, names besides those of tensors, such as ``__main__.Net``; empty
    where it names none, or is no such file.
    """
    try:
        return next((name.replace(" ", ".") for name in _classes(_pickle(file)) if not TENSOR_PICKLE.fullmatch(name)), "")
    except (zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError, OSError, EOFError):
        return ""  # Not even that can be read: whoever needs the file says so.


def _pickle(file: Path) -> bytes:
    """The pickle in a file of ``torch.save``; nothing where there is none. Before torch 1.6 the file begins with it, and is no zip."""
    if not zipfile.is_zipfile(file):
        with file.open("rb") as stream:
            return stream.read(_MOST_BYTES)
    with zipfile.ZipFile(file) as archive:
        found = [info for info in archive.infolist() if info.filename.partition("/")[2] == "data.pkl"]
        return archive.read(found[0]) if len(found) == 1 and found[0].file_size <= _MOST_BYTES else b""


def _classes(content: bytes) -> Iterator[str]:
    """The names of classes and functions in a pickle, or in several one after the other, each as ``module name``; nothing is run."""
    stream = io.BytesIO(content)
    for _ in range(_MOST_PICKLES):
        texts, memo = ["", ""], list[str]()
        if stream.tell() == len(content):
            return
        for opcode, argument, _ in pickletools.genops(stream):
            if opcode.name == "GLOBAL":
                yield str(argument)
            elif opcode.name == "STACK_GLOBAL":
                yield " ".join(texts[-2:])
            elif opcode.name == "MEMOIZE":  # Of protocol 4, as the two strings before a STACK_GLOBAL are.
                memo.append(texts[-1])
            elif opcode.name in {"BINGET", "LONG_BINGET"} and isinstance(argument, int) and argument < len(memo):
                texts.append(memo[argument])
            elif isinstance(argument, str):
                texts.append(argument)
