"""Memory that two processes have mapped."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_ALIGNED = 64
_LEAST = 2**16


@dataclass(frozen=True)
class Block:
    """Where an array lies in the memory: ``start`` is its first byte; it is in C order."""

    dtype: str
    shape: tuple[int, ...]
    start: int


def laid_out(arrays: Sequence[np.ndarray], start: int) -> tuple[tuple[Block, ...], int]:
    """Places for `arrays` behind each other from `start` on, and the first byte after them."""
    blocks = []
    for array in arrays:
        start = -(-start // _ALIGNED) * _ALIGNED
        blocks.append(Block(array.dtype.str, array.shape, start))
        start += array.nbytes
    return tuple(blocks), start


class SharedMemory:
    """Memory with a descriptor and no name: nothing is left of it, however the processes that have it end.

    It only grows. One process at a time may make it larger; the other one maps more of it when it is told of a place beyond what it has.
    """

    def __init__(self, file: int) -> None:
        self.file = file
        self._map = mmap.mmap(file, os.fstat(file).st_size)

    @classmethod
    def create(cls) -> SharedMemory:
        """New memory. Raises `OSError`."""
        if hasattr(os, "memfd_create"):
            file = os.memfd_create("toolkit")
        else:
            with tempfile.TemporaryFile() as stream:
                file = os.dup(stream.fileno())
        os.ftruncate(file, _LEAST)
        return cls(file)

    def close(self) -> None:
        """Give it back, but for what arrays still hold."""
        self._map = mmap.mmap(-1, 1)
        if self.file >= 0:
            os.close(self.file)
            self.file = -1

    def reach(self, end: int) -> None:
        """Have all bytes before `end`. Raises `OSError`."""
        if end <= len(self._map):
            return
        if os.fstat(self.file).st_size < end:
            os.ftruncate(self.file, 1 << (end - 1).bit_length())  # Pages that nobody touches take no memory.
        self._map = mmap.mmap(self.file, os.fstat(self.file).st_size)  # Arrays keep the mapping that they are in.

    def array(self, block: Block) -> np.ndarray:
        """The array at a place, of which `reach` has the end."""
        return np.ndarray(block.shape, block.dtype, self._map, block.start)

    def write(self, start: int, text: bytes) -> None:
        """Put bytes at a place. Raises `OSError`."""
        self.reach(start + len(text))
        self._map[start : start + len(text)] = text

    def read(self, start: int, size: int) -> bytes:
        """The bytes at a place."""
        self.reach(start + size)
        return self._map[start : start + size]
