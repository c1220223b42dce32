"""Run a function in a process of its own, so that a crash in a native library ends that process and nothing else.

A task is ``"module:function"``: the function takes one value and returns another, dataclasses or what JSON knows, of which the first is
checked against the type that its parameter is annotated with. Nothing is pickled.
The child reads its request from standard input and watches it: when the parent dies, the child ends too.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import os
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

import msgspec

from .errors import ProcessError, StorageError, ToolkitError, class_of, words_of
from .forks import NeedsFreshProcessError, fork
from .machine import available_memory
from .memory import tree_bytes
from .threads import SLEEPING

_GROUPS = os.name == "posix"
_LOOK_S = 0.2


class _Child(Protocol):
    """A process that runs one task: started anew, or forked from one that has imported the frameworks."""

    pid: int
    stdin: IO[bytes]

    def wait(self) -> int:
        """The exit code, negative for a signal, once the task and what it has left running are gone."""

    def kill(self) -> None:
        """End the task and everything in its group."""

    def close(self) -> None:
        """End it, if it still runs, and give its files back."""


_running: set[_Child] = set()


def run_isolated(
    task: str,
    payload: object,
    *,
    timeout_s: float = 600.0,
    memory_bytes: int | None = None,
    log: Path | None = None,
    environment: Mapping[str, str] | None = None,
    fresh: bool = False,
) -> Any:
    """Call ``task`` with `payload` in a Python process of its own and return what it returns.

    Args:
        task: ``"package.module:function"``.
        payload: anything that JSON can carry; dataclasses become objects.
        timeout_s: the child is killed after so many seconds, and with it what it started.
        memory_bytes: the child is killed when it and what it started hold more than this; None leaves it to the system. What they hold
            is looked at several times a second, which a measuring child would notice. On Windows nothing is looked at.
        log: file that receives the child's output (its standard output and error), appended.
        environment: variables set besides the parent's own.
        fresh: never a fork of a process that has imported frameworks (`forks`), and with threads that wait as their libraries do: for what
            measures, and for what such a process cannot run.

    Raises:
        ToolkitError: the child's own error, as the same class.
        ProcessError: the child crashed, timed out, used too much memory, or failed with another exception; the log has the rest.
        StorageError: the log is a link or no file.
    """
    if log is not None and (log.is_symlink() or (log.exists() and not log.is_file())):
        # A bundle that came from elsewhere may hold a link to any file of its reader.
        raise StorageError(f"cannot write '{log}'", expected="a regular file or none", got="a link or a folder", hint="remove it")
    with tempfile.TemporaryDirectory(prefix="toolkit-") as folder:
        result = Path(folder) / "result.json"
        output = Path(folder) / "output.txt"
        request = msgspec.json.encode({"task": task, "payload": payload, "result": str(result)}) + b"\n"
        with output.open("wb") as sink:
            stopped: list[str] = []
            ended = threading.Event()
            child = _start(sink, {**({} if fresh else SLEEPING), **os.environ, **(environment or {})}, fresh=fresh)
            # A timer instead of wait(timeout), which polls: a measuring child must have the processor to itself.
            timer = threading.Timer(timeout_s, _stop, (child, stopped, f"took longer than {timeout_s:g} s and was stopped"))
            timer.daemon = True
            try:  # Before anything that holds the child starts: Ctrl-C may come at any moment.
                _running.add(child)
                timer.start()
                if memory_bytes is not None:
                    threading.Thread(target=_watch, args=(child, stopped, memory_bytes, ended), daemon=True).start()
                send_request(child.stdin, request)
                code = child.wait()
                if stopped:
                    raise ProcessError(f"{_short(task)} {stopped[0]}")
            finally:
                _running.discard(child)
                ended.set()
                timer.cancel()
                child.close()
                if log is not None:
                    with log.open("ab") as stream:
                        stream.write(output.read_bytes())
        if not result.exists():
            raise ProcessError(f"{_short(task)} {ending_of(code)}", got=_last_line(output))
        answer = msgspec.json.decode(result.read_bytes())
    if "alone" in answer:
        return run_isolated(task, payload, timeout_s=timeout_s, memory_bytes=memory_bytes, log=log, environment=environment, fresh=True)
    if "error" in answer:
        raise _rebuilt(answer["error"], answer["message"])
    return answer["value"]


def modules_path() -> dict[str, str]:
    """The variable with which a child finds what this process does: an app may have put the toolkit, or an engine, where only its own path
    leads.
    """
    return {"PYTHONPATH": os.pathsep.join(folder or str(Path.cwd()) for folder in sys.path)}


def memory_limit(share: float = 0.9) -> int:
    """The bytes that one isolated task may use unless told: most of what is free, so that the machine stays usable."""
    return int(share * available_memory())


class Spawned:
    """A new Python process that executes a statement, which calls `become_child`; ``pid`` is its number, ``stdin`` takes its request.

    Args:
        statement: what it executes.
        environment: all its variables.
        output: the file for what it writes; None for where this process writes.
        files: descriptors that it has under the same numbers.
    """

    def __init__(
        self, statement: str, environment: Mapping[str, str], *, output: IO[bytes] | None = None, files: Sequence[int] = ()
    ) -> None:
        self._process = subprocess.Popen(
            # -P: a file in the user's folder, such as random.py, must not shadow a module of the child's.
            [sys.executable, "-P", "-c", statement],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=None if output is None else subprocess.STDOUT,
            env=environment,
            pass_fds=files,
            process_group=0 if _GROUPS else None,  # So that what the child starts can be ended with it.
        )
        assert self._process.stdin is not None
        self.pid, self.stdin = self._process.pid, self._process.stdin

    def wait(self) -> int:
        """The exit code, negative for a signal, once it and what it has left running are gone."""
        if hasattr(os, "waitid"):
            with contextlib.suppress(ChildProcessError):  # Another thread that stopped it has seen its end first.
                os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
            self.kill()  # What it has left running, while its number is still taken.
        return self._process.wait()

    def kill(self) -> None:
        """End it and everything in its group."""
        if _GROUPS and self._process.returncode is None:  # Afterwards the number may be another's.
            with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS refuses a group of nothing but zombies.
                os.killpg(self.pid, signal.SIGKILL)
        self._process.kill()

    def close(self) -> None:
        """End it, if it still runs, and give its files back."""
        self.kill()
        self._process.wait()
        with contextlib.suppress(BrokenPipeError):
            self.stdin.close()


def _start(output: IO[bytes], environment: Mapping[str, str], *, fresh: bool) -> _Child:
    statement = "from toolkit.core.isolated import main; main()"
    return (None if fresh else fork(output, environment)) or Spawned(statement, environment, output=output)


def _watch(child: _Child, stopped: list[str], most: int, ended: threading.Event) -> None:
    while not ended.wait(_LOOK_S):
        if tree_bytes(child.pid) > most and tree_bytes(child.pid, exact=True) > most:
            text = f"used more than {most / 2**30:.1f} GB of memory and was stopped; give it more, a conversion with --memory"
            _stop(child, stopped, text)


def _stop(child: _Child, stopped: list[str], reason: str) -> None:
    stopped.append(reason)
    child.kill()


def stop_isolated() -> None:
    """Kill every child that runs now, whichever thread waits for it: those calls raise `ProcessError`.

    For Ctrl-C, which Python raises in the main thread only.
    """
    for child in tuple(_running):
        child.kill()


def send_request(stream: IO[bytes], request: bytes) -> None:
    """Write a child's request, one line; that the child has ended is for its exit code to tell."""
    try:
        stream.write(request)
        stream.flush()
    except BrokenPipeError:
        return


def _rebuilt(kind: str, message: str) -> ToolkitError:
    return class_of(kind, ProcessError)(message)


def ending_of(code: int) -> str:
    """What an exit code says, such as ``crashed with signal 11 (SIGSEGV)``."""
    if code == -9:
        return "was killed from outside (SIGKILL), as the system does when memory runs out"
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
    if _GROUPS and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)  # And what this process has started.
    os._exit(1)


def _killed_with_parent() -> None:
    """Have Linux kill this process and what it has started when the parent's end of standard input closes.

    The thread of `_end_with_parent` comes late where native code holds the interpreter's lock, as a long import or conversion does.
    """
    if sys.platform != "linux" or os.getpgrp() != os.getpid():
        return
    import fcntl

    stdin = sys.stdin.fileno()
    fcntl.fcntl(stdin, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(stdin, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(stdin, fcntl.F_SETFL, fcntl.fcntl(stdin, fcntl.F_GETFL) | os.O_ASYNC)


def _call(function: Callable[[Any], Any], payload: Any) -> Any:
    (parameter,) = inspect.signature(function, eval_str=True).parameters.values()
    return function(payload if parameter.annotation is parameter.empty else msgspec.convert(payload, parameter.annotation))


def become_child() -> bytes:
    """The child's request, a line of standard input. From here on the process ends with its parent, and not by Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle: it kills this process.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")  # When memory runs out, Linux ends this process first.
    request = sys.stdin.buffer.readline()
    if not request:  # The parent has ended already.
        os._exit(1)
    _killed_with_parent()
    threading.Thread(target=_end_with_parent, daemon=True).start()  # Also where the parent died before.
    return request


def main() -> None:
    """The child's side: read a request from standard input, call the task, write its answer."""
    request = msgspec.json.decode(become_child())
    module, _, function = request["task"].partition(":")
    answer: dict[str, Any]
    try:
        answer = {"value": _call(getattr(importlib.import_module(module), function), request["payload"])}
    except NeedsFreshProcessError as error:
        answer = {"alone": str(error)}
    except ToolkitError as error:
        answer = {"error": type(error).__name__, "message": str(error)}
    except MemoryError:
        answer = {"error": "ProcessError", "message": f"{_short(request['task'])} ran out of memory"}
    except Exception as error:
        traceback.print_exc()
        answer = {"error": "ProcessError", "message": words_of(error)}
    target = Path(request["result"])
    work = target.with_suffix(".part")
    work.write_bytes(msgspec.json.encode(answer))
    work.rename(target)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # Some engines crash in their own teardown, after the answer is complete.
