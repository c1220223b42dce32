"""The process of its own that tests of TensorFlow run in: a crash there is one failed test, and no other test can import it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import own_process
from tests.own_process import is_own_process, needs_tensorflow

ROOT = Path(__file__).parents[1]

_TESTS = """
import os, sys, threading, time, types
import pytest

@pytest.fixture(scope="module")
def shared():
    return os.getpid()

def pretend():
    sys.modules["tensorflow"] = types.ModuleType("tensorflow")

def test_here_before(shared):
    assert shared == os.getpid() != int(os.environ.get("WORKER", 0))

@pytest.mark.tensorflow
def test_marked(shared, tmp_path):
    pretend()
    assert shared == os.getppid()

@pytest.mark.tensorflow
def test_crashes():
    os.abort()

@pytest.mark.tensorflow
@pytest.mark.parametrize("number", [1, 2])
def test_after_the_crash(shared, number):
    pretend()
    assert shared == os.getpid()

@pytest.mark.tensorflow
def test_ends_later():
    threading.Timer(0.3, os._exit, [7]).start()

def test_that_waits_here():
    time.sleep(1.5)

@pytest.mark.tensorflow
def test_finds_it_ended():
    pass

@pytest.mark.tensorflow
def test_skipped():
    pytest.skip("not here")

def test_slips():
    pretend()

def test_here_after(shared):
    assert shared == os.getpid()
"""


def run(folder: Path, *options: str) -> str:
    """What a pytest of its own prints about the tests above."""
    (folder / "conftest.py").write_text("from tests.own_process import configure as pytest_configure\n")
    (folder / "test_it.py").write_text(_TESTS)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    tensorflow: in a process of its own\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "TOOLKIT_TESTS_"))}
    without = [word for plugin in ("randomly", "cacheprovider", "anyio") for word in ("-p", f"no:{plugin}")]
    command = [sys.executable, "-m", "pytest", *without, "-rA", *options, "."]
    ran = subprocess.run(
        command, cwd=folder, env={**environment, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False, timeout=120
    )
    return ran.stdout + ran.stderr


@pytest.mark.parametrize("options", [(), ("-n", "1")], ids=["alone", "in a worker of xdist"])
def test_reports_come_back_and_a_crash_is_one_failure(options: tuple[str, ...], tmp_path: Path) -> None:
    printed = run(tmp_path, *options)
    told = {line for line in printed.splitlines() if line.startswith(("PASSED", "FAILED", "SKIPPED", "ERROR"))}
    assert {line.partition(" - ")[0] for line in told} == {
        "PASSED test_it.py::test_here_before",
        "FAILED test_it.py::test_marked",
        "FAILED test_it.py::test_crashes",
        "PASSED test_it.py::test_after_the_crash[1]",
        "PASSED test_it.py::test_after_the_crash[2]",
        "PASSED test_it.py::test_ends_later",
        "PASSED test_it.py::test_that_waits_here",
        "FAILED test_it.py::test_finds_it_ended",
        "SKIPPED [1] test_it.py:43: not here",
        "PASSED test_it.py::test_slips",
        "ERROR test_it.py::test_slips",
        "PASSED test_it.py::test_here_after",
    }
    assert ">       assert shared == os.getppid()" in printed, "where it failed is told as of any test"
    assert "the process with TensorFlow ended with code -6" in printed
    assert "the process with TensorFlow ended with code 7" in printed
    assert "test_it.py::test_slips has imported TensorFlow into a worker: mark it with pytest.mark.tensorflow" in printed


def test_a_module_that_imports_tensorflow_is_not_collected(tmp_path: Path) -> None:
    (tmp_path / "test_top.py").write_text("import sys\nsys.modules['tensorflow'] = sys\n")
    assert "a test module imports TensorFlow: import it in the tests that need it, and mark them" in run(tmp_path)


@pytest.mark.tensorflow
def test_this_one_runs_there() -> None:
    assert is_own_process()


def test_this_one_runs_here() -> None:
    assert not is_own_process()
    assert own_process.COMMON not in os.environ
    assert needs_tensorflow(("onnx", "tensorflow"))
    assert not needs_tensorflow(("torch", "onnx"))
