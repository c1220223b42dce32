from __future__ import annotations

import os

import numpy as np

from toolkit.runtimes.isolated.memory import Block, SharedMemory, laid_out


def test_places_are_aligned_and_behind_each_other() -> None:
    arrays: list[np.ndarray] = [np.zeros((2, 3), np.float32), np.zeros((), np.int64), np.zeros((0, 4), np.uint8), np.zeros(1, np.float16)]
    blocks, end = laid_out(arrays, 10)
    assert [block.start for block in blocks] == [64, 128, 192, 192]
    assert [(block.dtype, block.shape) for block in blocks] == [("<f4", (2, 3)), ("<i8", ()), ("|u1", (0, 4)), ("<f2", (1,))]
    assert end == 194


def test_both_sides_see_what_either_writes_also_after_either_made_it_larger() -> None:
    ours = SharedMemory.create()
    try:
        theirs = SharedMemory(ours.file)
        early = ours.array(Block("<f4", (4,), 64))
        theirs.write(1_000_000, b"text")
        assert ours.read(1_000_000, 4) == b"text"
        theirs.array(Block("<f4", (4,), 64))[...] = range(4)
        np.testing.assert_array_equal(early, range(4))
        ours.reach(5_000_000)
        late = Block("|u1", (5,), 4_999_995)
        ours.array(late)[...] = 7
        theirs.reach(5_000_000)
        np.testing.assert_array_equal(theirs.array(late), np.full(5, 7, np.uint8))
        assert os.fstat(ours.file).st_size >= 5_000_000
    finally:
        ours.close()
