"""Tasks run in processes of their own: results come back, crashes and errors stay there."""

from __future__ import annotations

import ctypes
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from toolkit.core import ArtifactError, InputError, ProcessError, StorageError, UnknownNameError, run_isolated, stop_isolated
from toolkit.core.forks import ADDRESS, fork_server

HERE = {"PYTHONPATH": os.pathsep.join(filter(None, (str(Path(__file__).parent), os.environ.get("PYTHONPATH"))))}


# The tasks below are called in the child, as `test_isolated:<name>`.
def double(payload: dict[str, Any]) -> dict[str, Any]:
    return {"twice": 2 * payload["x"], "pid": os.getpid(), "forked": "forks.serve" in str(sys.orig_argv)}


def import_tensorflow(_: object) -> list[str]:
    assert find_spec("tensorflow") is not None
    import tensorflow as tf

    return [tf.__name__, *sorted({"torch", "numpy"} & set(sys.modules))]


def surroundings(_: object) -> dict[str, Any]:
    numbers = [random.random(), float(np.random.random())]  # noqa: NPY002 - the global state is what is asked about
    own_group = os.getpgrp() == os.getpid()
    return {"folder": str(Path.cwd()), "said": os.environ.get("SAID"), "group": own_group, "random": numbers}


def crash(_: object) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def leave(_: object) -> None:
    print("last words")
    sys.stdout.flush()
    os._exit(7)


def sleep(seconds: float) -> None:
    time.sleep(seconds)


def refuse(_: object) -> None:
    raise ArtifactError("file", expected="this", got="that", hint="do so")


def unknown(_: object) -> None:
    raise UnknownNameError("format", "onx", ["onnx"])


def bug(_: object) -> None:
    raise ValueError("first line\nsecond line")


def chatter(_: object) -> str:
    os.write(1, b"native noise\n")
    return "quiet"


def abort(_: object) -> None:
    os.abort()


def swell(mebibytes: int) -> int:
    held = [bytes([1]) * 2**20 for _ in range(mebibytes)]
    time.sleep(1.0)
    return len(held)


def swell_in_children(mebibytes: int) -> None:
    code = f"import time; held = bytes([1]) * {mebibytes} * 2**20; time.sleep(60)"
    for child in [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]:
        child.wait()


def share_with_children(mebibytes: int) -> str:
    held = bytes([1]) * mebibytes * 2**20
    for _ in range(4):
        if os.fork() == 0:
            time.sleep(1.5)
            os._exit(0)
    time.sleep(1.5)
    return f"{len(held) >> 20} MiB, five times"


def leave_running(folder: str) -> int:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]).pid


def wait_in_child(folder: str) -> None:
    (Path(folder) / "started").write_text(str(os.getpid()))
    time.sleep(60)


def hold_the_lock_in_child(folder: str) -> None:
    """As native code does that never lets another thread of Python run."""
    (Path(folder) / "started").write_text(str(os.getpid()))
    ctypes.PyDLL(None).sleep(60)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with fork_server(["numpy"], environment=HERE) as variables:
        yield variables[ADDRESS]


@pytest.fixture(autouse=True, params=["spawned", "forked"])
def way(request: pytest.FixtureRequest, server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways keep every promise."""
    way: str = request.param
    monkeypatch.delenv(ADDRESS, raising=False)
    if way == "forked":
        monkeypatch.setenv(ADDRESS, server)
        monkeypatch.setenv("PYTHONPATH", HERE["PYTHONPATH"])
    return way


def call(name: str, payload: object = None, **options: Any) -> Any:
    return run_isolated(f"test_isolated:{name}", payload, environment=HERE, **options)


def test_a_child_whose_parent_has_ended_before_its_request_ends_without_a_word() -> None:
    command = [sys.executable, "-c", "from toolkit.core.isolated import main; main()"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")


def test_a_result_comes_back_from_another_process(way: str) -> None:
    answer = call("double", {"x": 21})
    assert answer["twice"] == 42
    assert answer["pid"] != os.getpid()
    assert answer["forked"] == (way == "forked")


def test_a_fresh_process_and_one_with_another_path_are_no_forks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not call("double", {"x": 1}, fresh=True)["forked"]
    (tmp_path / "elsewhere.py").write_text("def where(_): return __file__")
    found = run_isolated("elsewhere:where", None, environment={"PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"})
    assert found == str(tmp_path / "elsewhere.py")
    monkeypatch.setenv(ADDRESS, str(tmp_path / "no-socket"))
    assert not call("double", {"x": 1})["forked"]


def test_tensorflow_is_imported_in_a_fresh_process_only() -> None:
    pytest.importorskip("ai_edge_litert")  # As tensorflow is, with the extras; importing that here would be what is to be avoided.
    with fork_server(["torch"], environment=HERE) as variables, pytest.MonkeyPatch.context() as patch:
        patch.setenv(ADDRESS, variables[ADDRESS])
        patch.setenv("PYTHONPATH", HERE["PYTHONPATH"])
        assert run_isolated("test_isolated:import_tensorflow", None) == ["tensorflow", "numpy"]


def test_a_task_has_the_callers_folder_environment_and_random_numbers_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SAID", "so")
    first, second = call("surroundings"), call("surroundings")
    assert first["folder"] == str(tmp_path)
    assert first["said"] == "so"
    assert first["group"]
    assert first["random"] != second["random"]


def test_a_native_crash_is_an_error_that_names_the_signal() -> None:
    with pytest.raises(ProcessError, match=r"crash crashed with signal 11 \(SIGSEGV\)"):
        call("crash")


def test_a_sudden_end_tells_the_last_words() -> None:
    with pytest.raises(ProcessError, match="ended with exit code 7: got last words"):
        call("leave")


def test_a_task_that_takes_too_long_is_stopped() -> None:
    with pytest.raises(ProcessError, match="took longer than 1 s"):
        call("sleep", 7200, timeout_s=1.0)


def test_our_errors_keep_their_class_and_text() -> None:
    with pytest.raises(ArtifactError, match="file: expected this, got that; do so"):
        call("refuse")
    with pytest.raises(InputError, match=r"unknown format 'onx'.*did you mean 'onnx'"):
        call("unknown")


def test_other_errors_are_one_line_and_the_log_has_the_rest(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    with pytest.raises(ProcessError) as caught:
        call("bug", log=log)
    assert str(caught.value) == "ValueError: first line"
    assert "Traceback" in log.read_text()


def test_noise_of_libraries_goes_to_the_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert call("chatter", log=tmp_path / "log") == "quiet"
    assert capfd.readouterr().out == ""
    assert (tmp_path / "log").read_text() == "native noise\n"


@pytest.mark.parametrize(
    "task",
    [
        "wait_in_child",
        pytest.param("hold_the_lock_in_child", marks=pytest.mark.skipif(sys.platform != "linux", reason="only Linux itself ends it")),
    ],
)
def test_the_child_ends_with_its_parent(tmp_path: Path, task: str) -> None:
    code = f"from toolkit.core import run_isolated; run_isolated('test_isolated:{task}', {str(tmp_path)!r})"
    parent = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, **HERE})
    started = tmp_path / "started"
    try:
        for _ in range(600):
            if started.exists() and started.read_text():
                break
            time.sleep(0.05)
        child = int(started.read_text())
    finally:
        parent.kill()
        parent.wait()
    for _ in range(200):
        if not _alive(child):
            return
        time.sleep(0.05)
    pytest.fail("the child outlived its parent by ten seconds")


def test_an_abort_is_an_error_that_names_the_signal() -> None:
    with pytest.raises(ProcessError, match=r"abort crashed with signal 6 \(SIGABRT\)"):
        call("abort")


def test_a_task_that_needs_too_much_memory_is_stopped_and_the_next_one_runs() -> None:
    with pytest.raises(ProcessError, match=r"swell used more than 0\.2 GB of memory and was stopped; .*--memory"):
        call("swell", 600, memory_bytes=200 * 2**20)
    assert call("swell", 10, memory_bytes=200 * 2**20) == 10


def test_the_memory_of_its_children_counts() -> None:
    with pytest.raises(ProcessError, match="swell in children used more than"):
        call("swell_in_children", 150, memory_bytes=300 * 2**20, timeout_s=50)


def test_memory_that_children_share_counts_once() -> None:
    assert call("share_with_children", 150, memory_bytes=400 * 2**20) == "150 MiB, five times"


def test_what_a_task_leaves_running_ends_with_it() -> None:
    started = call("leave_running", "")
    for _ in range(200):
        if not _alive(started):
            return
        time.sleep(0.05)
    pytest.fail("what the task had started outlived it by ten seconds")


@pytest.mark.parametrize("kind", ["link", "folder"])
def test_a_log_is_a_file_of_its_own(tmp_path: Path, kind: str) -> None:
    (tmp_path / "diary").write_text("dear diary\n")
    log = tmp_path / "log"
    log.symlink_to("diary") if kind == "link" else log.mkdir()
    with pytest.raises(StorageError, match="expected a regular file or none"):
        call("chatter", log=log)
    assert (tmp_path / "diary").read_text() == "dear diary\n"


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_children_of_other_threads_are_stopped_and_the_next_ones_run() -> None:
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(run_isolated, "test_isolated:sleep", 60, environment=HERE)
        while not call.done():
            stop_isolated()
            time.sleep(0.02)
    with pytest.raises(ProcessError, match="SIGKILL"):
        call.result()
    assert run_isolated("test_isolated:double", {"x": 2}, environment=HERE)["twice"] == 4


def test_ctrl_c_as_soon_as_the_child_runs_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before, the child waited for its request and the timer for its end, and the command for both: for ten minutes."""
    seen: list[int] = []

    def interrupted(timer: threading.Timer) -> None:
        arguments: Any = timer.args
        seen.append(arguments[0].pid)
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Timer, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        call("double", {"x": 21})
    until = time.monotonic() + 10
    while _alive(seen[0]) and time.monotonic() < until:
        time.sleep(0.01)
    assert not _alive(seen[0])
