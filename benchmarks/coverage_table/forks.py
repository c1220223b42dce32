"""`run_isolated` for many short tasks: each still has a process of its own, forked from one that has imported the frameworks already.

Importing them anew for the dozen steps of an architecture would take three times as long as the steps.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec

from toolkit.core import errors, isolated
from toolkit.core.errors import ProcessError

_USERS = (
    "toolkit.converters.task",
    "toolkit.runtimes.parity.observe",
    "toolkit.pipeline.source.place",
    "toolkit.pipeline.source.onnx_files",
    f"{__package__}.measure",
)
_context = multiprocessing.get_context("forkserver")


def use_forks() -> None:
    """From now on every module of the road forks."""
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONWARNINGS": "ignore"}
    _context.set_forkserver_preload([f"{__package__}.preloaded"])
    for name in _USERS:
        sys.modules[name].run_isolated = run_forked  # type: ignore[attr-defined]


def run_forked(
    task: str,
    payload: object,
    *,
    timeout_s: float = 600.0,
    memory_bytes: int | None = None,
    log: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Any:
    """As `run_isolated`, with nobody watching the memory."""
    with tempfile.TemporaryDirectory(prefix="toolkit-") as folder:
        result, output = Path(folder) / "result.json", Path(folder) / "output.txt"
        output.touch()
        request = msgspec.json.encode({"task": task, "payload": payload, "result": str(result)}) + b"\n"
        child = _context.Process(target=_child, args=(request, str(output), dict(environment or {})), daemon=True)
        child.start()
        child.join(timeout_s)
        late = child.is_alive()
        child.kill()
        child.join()
        if log is not None:
            with log.open("ab") as stream:
                stream.write(output.read_bytes())
        if late:
            raise ProcessError(f"{task.rpartition(':')[2]} took longer than {timeout_s:g} s and was stopped")
        if not result.exists():
            lines = output.read_text(errors="replace").strip().splitlines()
            raise ProcessError(f"{task.rpartition(':')[2]} ended with exit code {child.exitcode}", got=lines[-1][:300] if lines else "")
        answer = msgspec.json.decode(result.read_bytes())
    if "error" in answer:
        raise getattr(errors, answer["error"].replace("UnknownNameError", "InputError"), ProcessError)(answer["message"])
    return answer["value"]


def _child(request: bytes, output: str, environment: dict[str, str]) -> None:
    os.environ |= environment
    sink = os.open(output, os.O_WRONLY | os.O_APPEND)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    # The child's side reads its request here, and then waits for an end that means that its parent died.
    sys.stdin = SimpleNamespace(buffer=SimpleNamespace(readline=lambda: request, read=threading.Event().wait))
    isolated.main()
