"""A worker that crashes costs the test that it crashed in, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_CONFTEST = """
import sys

from tests.by_file import ByFile, how_it_ended

def pytest_testnodedown(node, error):
    if error:
        sys.stderr.write(how_it_ended(node))

def pytest_xdist_make_scheduler(config, log):
    return ByFile(config, log)
"""


@pytest.mark.parametrize(("files", "crashes"), [(12, 6), (2, 0)], ids=["others go on", "one test is left, to nobody"])
def test_a_worker_that_crashes_costs_one_test(files: int, crashes: int, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(_CONFTEST)
    for number in range(files):
        crash = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)" if number == crashes else "pass"
        (tmp_path / f"test_{number:02}.py").write_text(f"def test_a(): {crash}\ndef test_b(): pass\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "--numprocesses", "2"]
    outer = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}  # Those of this run's own worker.
    environment = {**outer, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
    # Where it stands still, which it did, it would do so for ever.
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False)
    told = result.stdout + result.stderr
    assert result.returncode == 1, told
    assert f"1 failed, {2 * files - 1} passed" in told
    assert f"crashed while running 'test_{crashes:02}.py::test_a'" in told
    assert "it was ended by SIGKILL; killed for want of memory since" in told
