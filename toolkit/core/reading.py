"""Reading files that may come from anyone: regular files of a sane size only, and JSON and TOML that cannot exhaust the stack.

A pipe would be waited on for ever, a device has no end, and brackets nested a thousand times deep are no manifest.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, TypeVar

import msgspec
import numpy as np

T = TypeVar("T")

_MOST_BYTES = 256 * 2**20
_MOST_DEPTH = 500
# A string, closed or not. Possessive: one that never ends is read once.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)

_TOML_KEY_ENDS = re.compile(rb"[=,{\n]")


def read_file(path: Path, *, most: int = _MOST_BYTES) -> bytes:
    """The content of a regular file of at most `most` bytes; raises `OSError` for a pipe, a device or a larger file."""
    with open_file(path) as stream:
        if os.fstat(stream.fileno()).st_size > most:
            raise OSError(errno.EFBIG, f"larger than {most / 2**20:.3g} MiB", str(path))
        return stream.read()


@contextlib.contextmanager
def open_file(path: Path) -> Iterator[IO[bytes]]:
    """A regular file, open for reading while the block lasts; raises `OSError` for a pipe, a folder or a device."""
    # A pipe without a writer is opened at once in this way, and only then can be asked what it is.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    with os.fdopen(descriptor, "rb") as stream:
        yield stream


def decode_json(content: bytes, type: type[T]) -> T:
    """`content` as a value of `type`; raises `msgspec.DecodeError` whatever is wrong with it."""
    # Counted here: msgspec stops at Python's recursion limit, which a library may have lifted, and then the stack ends instead.
    if _depth(content) > _MOST_DEPTH:
        raise msgspec.DecodeError(f"nested too deeply (over {_MOST_DEPTH} brackets)")
    with _as_decode_errors():
        return msgspec.json.decode(content, type=type)


def decode_toml(content: bytes, type: type[T]) -> T:
    """`content` as a value of `type`; raises `msgspec.DecodeError` whatever is wrong with it."""
    # Brackets nest, and dots in a key, for which the reader's time grows with their square. In strings they count too: few are needed.
    dots = max(part.count(b".") for part in _TOML_KEY_ENDS.split(content))
    if content.count(b"[") + content.count(b"{") > _MOST_DEPTH or dots > _MOST_DEPTH:
        raise msgspec.DecodeError(f"nested too deeply (over {_MOST_DEPTH} brackets, or dots in a name)")
    with _as_decode_errors():
        try:
            found = tomllib.loads(content.decode())
        except UnicodeDecodeError:
            raise
        except ValueError as error:  # What TOML's reader finds, and a number with thousands of digits.
            raise msgspec.DecodeError(f"no TOML: {error}") from error
        return msgspec.convert(found, type=type)


@contextlib.contextmanager
def _as_decode_errors() -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(f"not UTF-8: {error.reason}") from error
    except RecursionError as error:
        raise msgspec.DecodeError("nested too deeply") from error


def _depth(content: bytes) -> int:
    """How many brackets are open at once, at most."""
    if content.count(b"[") + content.count(b"{") <= _MOST_DEPTH:
        return 0
    text = np.frombuffer(_STRING.sub(b"", content), np.uint8)
    change = np.isin(text, list(b"[{")).astype(np.int32) - np.isin(text, list(b"]}"))
    return int(change.cumsum().max(initial=0))


def write_arrays(target: Path | IO[bytes], arrays: Mapping[str, np.ndarray]) -> None:
    """Write a ``.npz``, equal arrays as equal bytes. Unlike `numpy.savez` it takes any name: there, ``file`` is taken for an argument."""
    with zipfile.ZipFile(target, "w") as archive:
        for name, array in arrays.items():
            # A `ZipInfo` of its own has no time, by which the bytes would differ.
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
