"""Sessions whose engine has a process of its own: they keep the contract, and a crash is an error."""

from __future__ import annotations

import gc
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from tests.commands import PATH
from tests.runtimes import contract
from tests.runtimes.isolated import nets
from tests.tiny import FEATURES, tiny_artifact
from toolkit.core import Artifact, EngineError, Format, InputError, SignatureError
from toolkit.runtimes import Runtime, Session, SessionOptions, find_runtime, open_session
from toolkit.runtimes.isolated import IsolatedSession, open_isolated

X = np.random.default_rng(0).standard_normal((1, FEATURES)).astype(np.float32)
ENDLESS = [np.array([2**40]), np.zeros(1, np.float32)]
FAR = 2**30
"""A row that lies gigabytes behind the last one."""
needs_trap = pytest.mark.skipif(platform.machine() not in {"x86_64", "AMD64"}, reason="this processor divides without a trap")


class Apart:
    """An engine that opens each model in a process of its own; what it says of itself is the engine's."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runtime, name)

    def open(self, model: Artifact | Path, options: SessionOptions | None = None) -> Session:
        return open_isolated(self._runtime.name, model, options)


CASES = [("onnxruntime", Format.ONNX, "two"), ("openvino", Format.OPENVINO, "cnn"), ("litert", Format.TFLITE, "tokens")]


@pytest.mark.parametrize(("engine", "format", "net"), CASES)
def test_it_keeps_the_contract_of_a_session(
    engine: str,
    format: Format,
    net: str,
    bundles: dict[str, dict[Format, Artifact]],
    references: dict[str, Callable[[dict[str, np.ndarray]], tuple[np.ndarray, ...]]],
    capfd: pytest.CaptureFixture[str],
) -> None:
    with opened(bundles[net][format], engine=engine, options=SessionOptions(threads=1)) as session:
        assert session.signature == bundles[net][format].manifest.signature
        contract.check_actual(find_runtime(engine), session)
        contract.check_values(session, references[net])
        contract.check_ways_to_call(session)
        contract.check_wrong_inputs(session)
        contract.check_outputs_are_the_callers(session)
        contract.check_odd_memory(session)
        contract.check_threads(session)
    contract.check_closed(session)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("engine", "format"),
    [
        ("onnxruntime", Format.ONNX),
        pytest.param("openvino", Format.OPENVINO, marks=pytest.mark.slow),
        pytest.param("litert", Format.TFLITE, marks=pytest.mark.slow),
    ],
)
def test_an_engine_apart_keeps_the_contract_of_a_runtime(
    engine: str,
    format: Format,
    bundles: dict[str, dict[Format, Artifact]],
    references: dict[str, Callable[[dict[str, np.ndarray]], tuple[np.ndarray, ...]]],
) -> None:
    contract.check_runtime(cast("Runtime", Apart(find_runtime(engine))), bundles["cnn"][format], references["cnn"])


def is_gone(process: int) -> bool:
    """Whether a process ends within seconds."""
    for _ in range(200):
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":  # Its parent was killed, and whoever has inherited it is slow.
            return True
        time.sleep(0.05)
    return False


def opened(model: Artifact | Path, *, engine: str = "onnxruntime", **options: Any) -> IsolatedSession:
    session = open_session(model, engine=engine, isolated=True, **options)
    assert isinstance(session, IsolatedSession)
    return session


def open_files() -> set[str]:
    """The numbers of the files that this process has open."""
    return set(os.listdir("/proc/self/fd"))


def assert_ended(session: IsolatedSession, told: str, inputs: Any) -> None:
    """A call raises what is told, each later one the same, at once; nothing of the process is left."""
    with pytest.raises(EngineError, match=told) as first:
        session.run(inputs)
    for _ in range(2):
        with pytest.raises(EngineError) as later:
            session.run(inputs)
        assert str(later.value) == str(first.value)
    assert is_gone(session.pid)
    session.close()
    with pytest.raises(EngineError, match="closed"):
        session.run(inputs)


def test_a_file_whose_run_segfaults_leaves_the_app_alive(tmp_path: Path) -> None:
    x = np.arange(16, dtype=np.float32).reshape(4, 4)
    with opened(nets.gather(tmp_path / "good.onnx", row=2), engine="openvino") as good:
        damaged = opened(nets.gather(tmp_path / "damaged.onnx", row=FAR), engine="openvino")
        assert_ended(damaged, r"^openvino crashed with signal 11 \(SIGSEGV\) while running the model; load the model again$", x)
        np.testing.assert_array_equal(good.run(x)[0], x[2:3])


def test_a_file_whose_opening_segfaults_leaves_the_app_alive(tmp_path: Path) -> None:
    file = nets.gather_of_constants(tmp_path / "damaged.onnx", row=FAR)
    told = rf"^openvino crashed with signal 11 \(SIGSEGV\) while opening '{file}'; is the file complete\? convert it again"
    left = []
    for _ in range(2):
        with pytest.raises(EngineError, match=told):
            opened(file, engine="openvino")
        left.append(open_files())
    assert left[1] <= left[0]  # What earlier tests have left may go meanwhile.


@needs_trap
def test_numbers_that_crash_an_engine_are_an_error_and_so_is_what_it_refuses(tmp_path: Path) -> None:
    session = opened(nets.quotient(tmp_path / "quotient.onnx"))
    six, two, none = (np.array([value]) for value in (6, 2, 0))
    assert session.run([six, two])[0] == [3]
    with pytest.raises(EngineError, match=r"^onnxruntime failed: RuntimeError: .*Integer division by zero"):
        session.run([six, none])
    assert session.run({"b": two, "a": six})["c"] == [3], "what an engine refuses does not end it"
    with pytest.raises(SignatureError, match="dimension 'n' differs"):
        session.run([six, np.array([1, 2])])
    assert_ended(session, r"^onnxruntime crashed with signal 8 \(SIGFPE\)", [np.array([nets.SMALLEST]), np.array([-1])])


@pytest.mark.parametrize(
    ("ending", "told"),
    [
        (signal.SIGSEGV, r"crashed with signal 11 \(SIGSEGV\)"),
        (signal.SIGABRT, "crashed with signal 6"),
        (signal.SIGKILL, "was killed from outside"),
    ],
)
def test_an_end_between_calls_is_told_by_the_next_one(ending: signal.Signals, told: str, tmp_path: Path) -> None:
    session = opened(tiny_artifact(tmp_path))
    session.run(X)
    os.kill(session.pid, ending)
    assert_ended(session, f"^onnxruntime {told}", X)


def test_an_end_in_the_middle_of_a_call_is_told_by_that_call(tmp_path: Path) -> None:
    session = opened(nets.countdown(tmp_path / "countdown.onnx"))
    killer = threading.Timer(0.5, os.kill, (session.pid, signal.SIGSEGV))
    killer.start()
    assert_ended(session, "SIGSEGV", ENDLESS)
    killer.join()


def test_an_engine_that_stands_still_is_stopped_at_its_deadline(tmp_path: Path) -> None:
    file = nets.countdown(tmp_path / "countdown.onnx")
    session = opened(file, timeout_s=10)  # In which it opens on a busy machine, too.
    assert session.run([np.array([10]), np.zeros(1, np.float32)])[0] == [10]
    told = r"^onnxruntime took longer than 10 s and was stopped while running the model; load the model again$"
    assert_ended(session, told, ENDLESS)
    with pytest.raises(EngineError, match=rf"^onnxruntime took longer than 0.001 s and was stopped while opening '{file}'"):
        opened(file, timeout_s=0.001)


def test_outputs_of_any_size_and_of_sizes_that_change_between_calls(tmp_path: Path) -> None:
    rows = np.random.default_rng(1).standard_normal((5000, FEATURES)).astype(np.float32)
    artifact = tiny_artifact(tmp_path)
    with open_session(artifact) as here, opened(artifact) as there:
        assert (there.signature, there.actual) == (here.signature, here.actual)
        for batch in (1, 5000, 2, 3000):
            np.testing.assert_allclose(there.run(rows[:batch])[0], here.run(rows[:batch])[0], atol=1e-5)
    with opened(nets.places(tmp_path / "places.onnx")) as session:
        for found in ([1, 4], [], [0], [2, 3], range(5)):
            x = np.zeros(5, np.float32)
            x[list(found)] = 1
            np.testing.assert_array_equal(session.run(x)[0], [list(found)])
        large = np.ones(200_000, np.float32)
        np.testing.assert_array_equal(session.run(large)[0], [np.arange(200_000)])


def test_nothing_is_left_of_a_session_that_is_closed_or_dropped(tmp_path: Path) -> None:
    artifact = tiny_artifact(tmp_path)
    opened(artifact).close()
    gc.collect()
    before = open_files()
    closed = opened(artifact)
    closed.run(X)
    assert closed.memory_bytes() > 2**20
    closed.close()
    assert is_gone(closed.pid)
    with pytest.raises(EngineError, match="closed"):
        closed.memory_bytes()
    dropped = opened(artifact)
    dropped.run(X)
    pid = dropped.pid
    del dropped
    assert is_gone(pid)
    assert open_files() <= before


APP = """
import atexit, os, signal, sys, threading, time

atexit.register(time.sleep, .3)  # What was registered first is called last: a thread has time to say something.
from pathlib import Path
import numpy as np
import toolkit

session = toolkit.load(sys.argv[1], engine="onnxruntime", isolated=True)
small, endless = ([np.array([turns]), np.zeros(1, np.float32)] for turns in (3, 2**40))
session.run(small)
print(session.pid, flush=True)
"""
ENDINGS = {
    "idle": "time.sleep(60)",
    "busy": "session.run(endless)",
}


def start(tmp_path: Path, code: str) -> subprocess.Popen[str]:
    """An app of its own group, as a terminal starts one."""
    command = [sys.executable, "-W", "error", "-c", APP + code, str(nets.countdown(tmp_path / "countdown.onnx"))]
    environment = {**os.environ, "PYTHONPATH": PATH}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=tmp_path, start_new_session=True
    )


@pytest.mark.parametrize("doing", ENDINGS)
def test_the_process_ends_with_an_app_that_is_killed(doing: str, tmp_path: Path) -> None:
    with start(tmp_path, ENDINGS[doing]) as app:
        assert app.stdout is not None
        pid = int(app.stdout.readline())
        time.sleep(0.3)
        assert not Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].startswith(" Z")
        app.kill()
        assert is_gone(pid)


IN_A_THREAD = "threading.Thread(target=session.run, args=(endless,), daemon=True).start(); time.sleep(.3)"


@pytest.mark.parametrize("code", ["", "session.close()", IN_A_THREAD])
def test_an_app_that_ends_leaves_nothing_and_says_nothing(code: str, tmp_path: Path) -> None:
    with start(tmp_path, code) as app:
        output, errors = app.communicate(timeout=60)
        assert (app.returncode, errors) == (0, "")
        assert is_gone(int(output))


@pytest.mark.parametrize("size", [2, 1000])
def test_after_ctrl_c_in_a_call_the_next_one_gets_its_own_answer(size: int, tmp_path: Path) -> None:
    """Where the outputs of the call that was cut short would lie, there are inputs of the larger next one."""
    code = f"""
for turns, size in ((500_000, 2), (5, {size}), (7, {size})):
    try:
        print("waiting", flush=True)
        x = np.arange(size, dtype=np.float32)
        print((session.run([np.array([turns]), x])[0] - x).tolist() == [turns] * size, flush=True)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""
    with start(tmp_path, code) as app:
        assert app.stdout is not None
        pid = int(app.stdout.readline())
        assert app.stdout.readline() == "waiting\n"
        time.sleep(0.2)
        os.killpg(app.pid, signal.SIGINT)  # As a terminal does: to the whole group.
        output, errors = app.communicate(timeout=60)
        assert (app.returncode, errors) == (0, "")
        assert output.splitlines() == ["interrupted", "waiting", "True", "waiting", "True"]
        assert is_gone(pid)


def test_a_fork_of_the_app_is_told_that_the_model_is_not_its_own(tmp_path: Path) -> None:
    code = """
child = os.fork()
if child == 0:
    try:
        session.run(small)
    except toolkit.ToolkitError as error:
        print(error, flush=True)
    session.close()
    os._exit(0)
os.waitpid(child, 0)
print(session.run(small)[0][0])
"""
    with start(tmp_path, code) as app:
        output, errors = app.communicate(timeout=60)
        assert (app.returncode, errors) == (0, "")
        assert output.splitlines()[1:] == ["the model is open in the process that this one is a fork of; load it in this one", "3.0"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"timeout_s": 1.0}, "^timeout_s: expected isolated=True beside it"),
        ({"isolated": True, "timeout_s": 0.0}, "^timeout_s: expected seconds, more than 0, got 0.0"),
        ({"isolated": True, "timeout_s": float("nan")}, "^timeout_s: expected seconds, more than 0, got nan"),
    ],
)
def test_a_deadline_that_cannot_be_is_refused(options: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=told):
        open_session(tiny_artifact(tmp_path), **options)


def test_an_app_in_one_file_is_told_that_it_has_no_python_to_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.raises(InputError, match=r"^isolated=True: expected a Python that can be started, got an app in one file$"):
        open_session(tiny_artifact(tmp_path), isolated=True)
