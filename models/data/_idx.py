"""The idx format of MNIST: two zero bytes, a type code, the number of dimensions, their sizes, the values (LeCun 1998)."""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import mmap
import struct
import zlib
from pathlib import Path

import numpy as np

from toolkit.core import DataError

_UBYTE = 0x08
_GZIP = b"\x1f\x8b"

Content = bytes | memoryview


def encode_idx(array: np.ndarray) -> bytes:
    """The idx file of a uint8 array of at most 255 dimensions."""
    return struct.pack(f">HBB{array.ndim}I", 0, _UBYTE, array.ndim, *array.shape) + array.astype(np.uint8, copy=False).tobytes()


def decode_idx(content: Content, *, where: str) -> np.ndarray:
    """The uint8 array in an idx file, without a copy; raises `DataError` naming `where` unless it is whole and nothing more."""
    head = bytes(content[:4])
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] != _UBYTE:
        raise DataError(f"'{where}' is no idx file of bytes", expected="a start of 000008..", got=head.hex() or "0 bytes")
    start = 4 + 4 * head[3]
    shape = struct.unpack_from(f">{head[3]}I", content, 4) if len(content) >= start else ()
    size = start + math.prod(shape)
    if len(content) != size:
        raise DataError(
            f"'{where}' is cut short or damaged", expected=f"{size} bytes", got=f"{len(content)} bytes", hint="copy or fetch it again"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def read_idx(file: Path, *, sha256: str, limit: int) -> np.ndarray:
    """The array in an idx file, as `checked_idx`; a file without compression is mapped, not read."""
    try:
        if file.suffix == ".gz" or file.stat().st_size == 0:
            return checked_idx(file.read_bytes(), where=str(file), sha256=sha256, limit=limit)
        with file.open("rb") as stream:
            mapped = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError as error:
        raise DataError(f"'{file}' cannot be read: {error.strerror or error}") from error
    return checked_idx(mapped, where=str(file), sha256=sha256, limit=limit)


def checked_idx(content: Content, *, where: str, sha256: str, limit: int) -> np.ndarray:
    """The array in `content`, an idx file, gzipped or plain.

    Raises:
        DataError: it is damaged, unzips to more than `limit` bytes, or its unzipped SHA-256 is another one.
    """
    if bytes(content[:2]) == _GZIP:
        try:
            with gzip.open(io.BytesIO(content)) as stream:
                content = stream.read(limit + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"'{where}' cannot be unzipped: {error}", hint="copy or fetch it again") from error
    array = decode_idx(content, where=where)
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DataError(f"'{where}' is not the file that was published", expected=f"SHA-256 {sha256[:12]}… unzipped", got=f"{found[:12]}…")
    return array
