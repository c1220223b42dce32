"""A worker that crashes costs the test that it crashed in, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_CRASH = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
# Two workers are in such a test when both crash.
_TOGETHER = f"""
    import pathlib, time
    pathlib.Path(__file__ + ".here").touch()
    while len([*pathlib.Path().glob("*.here")]) < 2: time.sleep(.01)
    {_CRASH}
"""
# Of two that take the places of crashed ones, one has collected long before the other.
_SLOW = """
import os, time

def pytest_collection():
    if os.environ.get("PYTEST_XDIST_WORKER") == "gw3": time.sleep(2)
"""
_ONCE = f"import pathlib; there = pathlib.Path('once'); there.exists() or (there.touch(), exec({_CRASH!r}))"


@pytest.mark.parametrize(("files", "crashing", "crash", "code", "told"), [
    (12, {6}, _CRASH, 1, "1 failed, 23 passed, 1 crashed"),
    (2, {0}, _CRASH, 1, "1 failed, 3 passed, 1 crashed"),
    (12, {6}, _ONCE, 0, "24 passed, 1 crashed"),
    (12, {0, 1}, _TOGETHER, 1, "2 failed, 22 passed, 2 crashed"),
], ids=["others go on", "one test is left, to nobody", "once", "two at a time"])  # fmt: skip
def test_a_worker_that_crashes_costs_one_test(files: int, crashing: set[int], crash: str, code: int, told: str, tmp_path: Path) -> None:
    for number in range(files):
        here = crash if number in crashing else "pass"
        (tmp_path / f"test_{number:02}.py").write_text(f"def test_a(): {here}\ndef test_b(): pass\n")
    (tmp_path / "conftest.py").write_text(_SLOW if len(crashing) > 1 else "")
    plugins = ("-p", "tests.by_file", "-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:anyio")
    command = [sys.executable, "-m", "pytest", "-q", *plugins, "--numprocesses", "2"]
    outer = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}  # Those of this run's own worker.
    environment = {**outer, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
    # Where it stands still, which it did, it would do so for ever.
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False)
    printed = result.stdout + result.stderr
    assert result.returncode == code, printed
    assert told in printed
    assert "it was ended by SIGSEGV; killed for want of memory since" in printed
    assert "Fatal Python error: Segmentation fault" in printed
    for number in crashing:
        assert f"crashed while running 'test_{number:02}.py::test_a'; it was run again in another worker" in printed
        assert f'test_{number:02}.py", line' in printed
