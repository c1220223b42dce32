"""Run a function in a process of its own, so that a crash in a native library ends that process and nothing else.

A task is ``"module:function"``: the function takes one JSON-like value and returns another. Nothing is pickled.
The child reads its request from standard input and watches it: when the parent dies, the child ends too.
"""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from . import errors
from .errors import ProcessError, StorageError, ToolkitError
from .files import storage_errors

_running: set[subprocess.Popen[bytes]] = set()


def run_isolated(
    task: str, payload: object, *, timeout_s: float = 600.0, log: Path | None = None, environment: Mapping[str, str] | None = None
) -> Any:
    """Call ``task`` with `payload` in a fresh Python process and return what it returns.

    Args:
        task: ``"package.module:function"``.
        payload: anything that JSON can carry; dataclasses become objects.
        timeout_s: the child is killed after so many seconds.
        log: file that receives the child's output (its standard output and error), appended.
        environment: variables set besides the parent's own.

    Raises:
        ToolkitError: the child's own error, as the same class.
        ProcessError: the child crashed, timed out, or failed with another exception; the log has the rest.
    """
    with tempfile.TemporaryDirectory(prefix="toolkit-") as folder:
        result = Path(folder) / "result.json"
        output = Path(folder) / "output.txt"
        request = msgspec.json.encode({"task": task, "payload": payload, "result": str(result)}) + b"\n"
        with output.open("wb") as sink:
            child = subprocess.Popen(
                # -P: a file in the user's folder, such as random.py, must not shadow a module of the child's.
                [sys.executable, "-P", "-c", "from toolkit.core.isolated import main; main()"],
                stdin=subprocess.PIPE,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
            )
            _running.add(child)
            # A timer instead of wait(timeout), which polls: a measuring child must have the processor to itself.
            timer = threading.Timer(timeout_s, child.kill)
            timer.start()
            try:
                assert child.stdin is not None
                _send(child.stdin, request)
                code = child.wait()
                if not timer.is_alive():
                    raise ProcessError(f"{_short(task)} took longer than {timeout_s:g} s and was stopped")
            finally:
                _running.discard(child)
                timer.cancel()
                child.kill()
                child.wait()
                if child.stdin is not None:
                    _close(child.stdin)
                if log is not None:
                    _append(log, output.read_bytes())
        if not result.exists():
            raise ProcessError(f"{_short(task)} {_ending(code)}", got=_last_line(output))
        answer = msgspec.json.decode(result.read_bytes())
    if "error" in answer:
        raise _rebuilt(answer["error"], answer["message"])
    return answer["value"]


def stop_isolated() -> None:
    """Kill every child that runs now, whichever thread waits for it: those calls raise `ProcessError`.

    For Ctrl-C, which Python raises in the main thread only.
    """
    for child in tuple(_running):
        child.kill()


def _append(log: Path, text: bytes) -> None:
    """Not through a link: a bundle that came from elsewhere may hold one to any file of its reader."""
    if log.is_symlink() or (log.exists() and not log.is_file()):
        raise StorageError(f"cannot write '{log}': it is no regular file", hint="remove it")
    with storage_errors(log), log.open("ab") as stream:
        stream.write(text)


def _send(stream: Any, request: bytes) -> None:
    try:
        stream.write(request)
        stream.flush()
    except BrokenPipeError:
        return  # The child ended before it read its request: its exit code says why.


def _close(stream: Any) -> None:
    try:
        stream.close()
    except BrokenPipeError:
        return


def _rebuilt(kind: str, message: str) -> ToolkitError:
    cls = getattr(errors, kind, ProcessError)
    return errors.InputError(message) if cls is errors.UnknownNameError else cls(message)


def _ending(code: int) -> str:
    if code < 0:
        return f"crashed with signal {-code} ({signal.Signals(-code).name})"
    return f"ended with exit code {code}"


def _last_line(output: Path) -> str:
    lines = output.read_text(errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "no output"


def _short(task: str) -> str:
    return task.rpartition(":")[2].replace("_", " ")


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


def main() -> None:
    """The child's side: read a request from standard input, call the task, write its answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle: it kills this process.
    request = msgspec.json.decode(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    module, _, function = request["task"].partition(":")
    answer: dict[str, Any]
    try:
        answer = {"value": getattr(importlib.import_module(module), function)(request["payload"])}
    except ToolkitError as error:
        answer = {"error": type(error).__name__, "message": str(error)}
    except MemoryError:
        answer = {"error": "ProcessError", "message": f"{_short(request['task'])} ran out of memory"}
    except Exception as error:
        traceback.print_exc()
        first = (str(error).strip().splitlines() or [""])[0][:300]
        answer = {"error": "ProcessError", "message": f"{type(error).__name__}: {first}".rstrip(": ")}
    target = Path(request["result"])
    work = target.with_suffix(".part")
    work.write_bytes(msgspec.json.encode(answer))
    work.rename(target)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # Some engines crash in their own teardown, after the answer is complete.
