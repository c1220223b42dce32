"""A process that has imported the frameworks once, and forks a child for each isolated task: importing PyTorch and its exporter takes
seconds of processor time, a fork milliseconds.

`run_isolated` uses it where ``TOOLKIT_FORK_SERVER`` names its socket, and gives the same promises either way: a process group of its own,
limits, a log, an end with its parent. A child between server and task, the supervisor, watches the connection to the caller; when that
closes, for whatever reason, it kills the task's group. For many short tasks in a row, as tables and tests have them: never for a
measurement, whose memory is counted from a bare start, and Linux only.

Messages are lines of JSON over a Unix socket in a folder that only its owner can enter; the first one carries the files that become the
task's standard input and output.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import IO, Any

import numpy as np

from .needs import without_telemetry

ADDRESS = "TOOLKIT_FORK_SERVER"
COLLECT = (50_000, 20, 100)
"""How rarely garbage is looked for beside frameworks: what they make lives as long as the process, and a tenth of an export was walking
through that.
"""
_SERVE = "from toolkit.core import forks, isolated; forks.serve(isolated.main)"
# What decides which modules a process finds, and so cannot be changed after its start.
_AT_START = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
# What crashes beside other frameworks: a fork that imports one of them gives up, and its task is run again in a fresh process.
_ALONE = {"tensorflow", "keras", "tf_keras"}
_KILL = b"kill\n"
_BACKLOG = 64


class NeedsFreshProcessError(BaseException):
    """A fork wanted to import what must not meet the frameworks that are imported already. No library's ``except Exception`` catches it."""


class _AloneFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the modules that want a process of their own, so that one can ask whether they are installed, and does not load them."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname not in _ALONE:
            return None
        found = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        return None if found is None else importlib.util.spec_from_file_location(fullname, found.origin, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        raise NeedsFreshProcessError(module.__name__)


class Forked:
    """A task that the server forked. ``pid`` is its process; ``stdin`` takes its request."""

    def __init__(self, connection: socket.socket, stdin: IO[bytes]) -> None:
        self.stdin = stdin
        self._connection = connection
        self._answers = connection.makefile("rb")
        self.pid = int(self._answers.readline())

    def wait(self) -> int:
        """The exit code, negative for a signal, once the task and all that it has started are gone."""
        line = self._answers.readline()
        return int(line) if line else -signal.SIGKILL

    def kill(self) -> None:
        """End the task and what it has started."""
        with contextlib.suppress(OSError):
            self._connection.sendall(_KILL)

    def close(self) -> None:
        """End it, if it still runs, and give its files back."""
        for each in (self._answers, self._connection):
            each.close()
        with contextlib.suppress(BrokenPipeError):
            self.stdin.close()


def fork(output: IO[bytes], environment: Mapping[str, str]) -> Forked | None:
    """A child of the server at ``TOOLKIT_FORK_SERVER`` that waits for its request; None where there is no server, or none that fits."""
    address = os.environ.get(ADDRESS)
    if address is None or any(environment.get(name) != os.environ.get(name) for name in _AT_START):
        return None
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(address)
    except OSError:
        connection.close()
        return None
    reading, writing = os.pipe()
    start = {name: environment.get(name) for name in _AT_START}
    message = json.dumps({"start": start, "environment": dict(environment), "folder": str(Path.cwd())}).encode() + b"\n"
    socket.send_fds(connection, [len(message).to_bytes(8, "big")], [reading, output.fileno()])
    connection.sendall(message)
    os.close(reading)
    try:
        return Forked(connection, os.fdopen(writing, "wb"))
    except ValueError:  # The server's environment is another.
        connection.close()
        return None


@contextlib.contextmanager
def fork_server(modules: Sequence[str], *, environment: Mapping[str, str] | None = None) -> Iterator[dict[str, str]]:
    """A server that has imported `modules`, as the environment variables with which `run_isolated` uses it.

    It ends with the block, and with this process.
    """
    with tempfile.TemporaryDirectory(prefix="toolkit-") as folder:
        address = Path(folder) / "socket"
        command = [sys.executable, "-P", "-c", _SERVE, str(address), *modules]
        env = {**os.environ, **(environment or {})}
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env)
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            if server.stdout.readline() != b"ready\n":
                raise RuntimeError(f"the fork server ended with exit code {server.wait()}")
            yield {ADDRESS: str(address)}
        finally:
            server.stdin.close()
            server.stdout.close()
            server.kill()
            server.wait()


def serve(main: Callable[[], None]) -> None:
    """The server's side: import what the command line names, then fork until standard input ends. `main` reads a request and answers it."""
    address, *modules = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever waits for a task.
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(_BACKLOG)
        sys.stdout.write("ready\n")  # Who connects meanwhile waits for what is imported.
        sys.stdout.flush()
        without_telemetry()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name in modules:
                with contextlib.suppress(ImportError):  # A task that needs it will say so.
                    importlib.import_module(name)
        # Who asks for the stack, as coverage does in every fork, has the files of all modules looked up: once, here.
        inspect.stack()
        # The collector would walk through all of it in every fork, and the walk copies each page.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECT)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # Nobody waits for the supervisors.
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            if sys.stdin in ready:
                os._exit(0)
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _supervise(connection, main)
            connection.close()


def _supervise(connection: socket.socket, main: Callable[[], None]) -> None:
    """Fork the task, tell its number, wait for its end or the caller's, kill what is left, tell the exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, files, _, _ = socket.recv_fds(connection, 8, 2)
    with connection.makefile("rb") as stream:
        request = json.loads(stream.read(int.from_bytes(size, "big")))
    if request["start"] != {name: os.environ.get(name) for name in _AT_START}:
        os._exit(0)
    task = os.fork()
    if task == 0:
        connection.close()
        _prepare(request, *files)
        main()
    for file in files:
        os.close(file)
    with contextlib.suppress(OSError):
        os.setpgid(task, task)  # Here and in the task: whichever comes first.
    with contextlib.suppress(OSError):
        connection.sendall(f"{task}\n".encode())
    watched = select.poll()
    end = os.pidfd_open(task)
    watched.register(end, select.POLLIN)
    watched.register(connection, select.POLLIN)
    if end not in {file for file, _ in watched.poll()}:  # The caller asks for its end, or is gone.
        _end(task)
    os.waitid(os.P_PID, task, os.WEXITED | os.WNOWAIT)
    _end(task)  # What it has left running, while its number is still taken.
    _, status = os.waitpid(task, 0)
    with contextlib.suppress(OSError):
        connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _end(task: int) -> None:
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(task, signal.SIGKILL)


def _prepare(request: Mapping[str, Any], stdin: int, output: int) -> None:
    """Give this process what a fresh one would have been given."""
    os.setpgid(0, 0)
    for source, target in ((stdin, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    if request["environment"].get("PYTHONWARNINGS") == "ignore":
        warnings.simplefilter("ignore")
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0, "r"), os.fdopen(1, "w"), os.fdopen(2, "w")
    sys.argv[:] = ["-c"]
    sys.meta_path.insert(0, _AloneFinder())
    tempfile.tempdir = None  # What a module has asked for holds for the server.
    np.random.seed(None)  # noqa: NPY002 - its global state would be that of every other task; Python's own is seeded anew by a fork.
