"""The session of an engine in a process of its own."""

from __future__ import annotations

import math
import os
import sys
import weakref
from pathlib import Path

import numpy as np

from toolkit.core import Artifact, InputError, this_system

from ..base import Call, Session, SessionOptions, check_device
from .engine import EngineProcess
from .messages import Opening


class IsolatedSession(Session):
    """A model open in a process of its own. ``pid`` is that process's number.

    A crash there is an `EngineError` of the call that it came in, and of each later one. Calls of several threads take turns, also
    where the engine allows calls at the same time.
    """

    def __init__(self, process: EngineProcess) -> None:
        super().__init__(process.opened.signature, process.opened.actual)
        self.pid = process.pid
        self._process = process
        self._end = weakref.finalize(self, process.leave)  # It ends with its session, and with this process, closed or not.

    def _bind(self, array: np.ndarray) -> Call:  # noqa: ARG002 - the process knows the shapes of its last call
        run = self._process.run
        return lambda array: run((array,))

    def _run(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        return self._process.run(arrays)

    def memory_bytes(self) -> int:
        """The peak of the engine's process, with Python's own and the libraries'."""
        with self._lock:
            return self._process.peak_bytes()

    def _close(self) -> None:
        self._process.close()
        self._end.detach()


def check_isolation(*, isolated: bool, timeout_s: float | None) -> None:
    """Raise `InputError` where an engine cannot have a process of its own, or a deadline has none to end."""
    if timeout_s is not None and not isolated:
        raise InputError("timeout_s", expected="isolated=True beside it", got="an engine in the app's own process, which nothing can stop")
    if timeout_s is not None and not 0 < timeout_s < math.inf:
        raise InputError("timeout_s", expected="seconds, more than 0", got=str(timeout_s))
    if isolated and os.name != "posix":
        raise InputError("isolated=True", expected="Linux or macOS", got=this_system())
    if isolated and (getattr(sys, "frozen", False) or not sys.executable):
        raise InputError("isolated=True", expected="a Python that can be started", got="an app in one file")


def open_isolated(
    engine: str, model: Artifact | Path, options: SessionOptions | None = None, *, timeout_s: float | None = None
) -> IsolatedSession:
    """Open an artifact, or a bare model file, in an engine in a process of its own.

    Raises:
        EngineError: the engine crashed there, or took longer than `timeout_s` seconds.
        ToolkitError: as `Runtime.open`.
    """
    check_isolation(isolated=True, timeout_s=timeout_s)
    options = options or SessionOptions()
    check_device(options.device)
    path, manifest = (model.path, model.manifest) if isinstance(model, Artifact) else (model, None)
    return IsolatedSession(EngineProcess(Opening(engine, str(path), manifest, options), timeout_s=timeout_s))
