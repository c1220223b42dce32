"""The zip archives that torch writes, read so strictly that torch cannot see other members in them, and what is pickled there."""

from __future__ import annotations

import io
import pickletools
import re
import zipfile
from pathlib import Path
from typing import IO

TENSOR_PICKLE = re.compile(
    r"collections OrderedDict|torch\._utils _rebuild_(tensor_v2|parameter)|torch (\w+Storage|Size|device)|torch\.nn\.parameter Parameter"
)
"""The classes, as pickles name them, that are in a file of tensors alone."""
MOST_MEMBERS = 100_000
"""Of an archive: a network of many experts has tens of thousands of tensors."""
_MOST_BYTES = 4 * 2**20
"""Of a pickle whose classes are looked for."""


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


def pickled_class(file: Path) -> str:
    """A class that a file of ``torch.save`` names besides those of tensors, such as ``__main__.Net``; empty where it names none, or is no
    such file.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            found = [info for info in archive.infolist() if info.filename.partition("/")[2] == "data.pkl"]
            if len(found) != 1 or found[0].file_size > _MOST_BYTES:
                return ""
            for opcode, argument, _ in pickletools.genops(archive.read(found[0])):
                if opcode.name == "GLOBAL" and not TENSOR_PICKLE.fullmatch(str(argument)):
                    return str(argument).replace(" ", ".")
    except (zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError, OSError, EOFError):
        return ""  # Not even that can be read: whoever needs the file says so.
    return ""
