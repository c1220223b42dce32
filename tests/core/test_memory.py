"""What a process and those that it started hold, by both ways of finding them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolkit.core import memory

# A child, started by a thread, and its own child, which holds 64 MB.
FAMILY = """
import subprocess, sys, threading
code = "held = bytearray(64 << 20); print(flush=True); input()"
middle = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])"
thread = threading.Thread(target=subprocess.run, args=([sys.executable, "-c", middle],))
thread.start()
thread.join()
"""


@pytest.fixture
def family() -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", FAMILY], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.communicate(b"\n")


@pytest.mark.skipif(not Path("/proc/thread-self/children").is_file(), reason="this system does not tell of each thread's children")
def test_both_ways_find_the_same_processes(family: int) -> None:
    found = memory._family(family)
    assert found == memory._with_descendants(family, memory._parents_of_proc())
    assert len(found) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="what ps tells is another kind of memory")
@pytest.mark.parametrize("exact", [False, True])
def test_a_grandchild_counts(family: int, exact: bool) -> None:
    assert 64 << 20 < memory.tree_bytes(family, exact=exact) < 200 << 20


def test_one_that_has_ended_holds_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert memory.tree_bytes(process.pid) == 0
