"""Any GTP engine, driven over its pipes."""

from __future__ import annotations

import contextlib
import os
import queue
import shlex
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from toolkit.core import EngineError, InputError

from .protocol import Reply, clean, read_replies

_STDERR_LINES = 5
_PATIENCE_S = 2.0  # how long an engine may take to leave after `quit`


class GtpClient:
    """A started engine that has told its name, version and commands.

    Not for several threads at once. After an `EngineError` the engine is gone: make a new one.

    Args:
        command: the program and its arguments.
        timeout_s: seconds until an answer must have come.

    Raises:
        InputError: the program is not there.
        EngineError: it does not speak GTP 2, or died.
    """

    def __init__(self, command: Sequence[str], *, timeout_s: float = 120.0) -> None:
        self.command, self._timeout_s = tuple(command), timeout_s
        self._count, self._why = 0, ""
        try:
            # Its own session: what the engine starts is in its group and ends with it.
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
                bufsize=1,
                start_new_session=True,
            )
        except (OSError, IndexError, ValueError) as error:
            raise InputError(f"cannot start '{shlex.join(self.command)}': {error}", hint="give the whole path of the engine") from error
        self._replies: queue.SimpleQueue[tuple[str, Reply] | None] = queue.SimpleQueue()
        self._complaints: deque[str] = deque(maxlen=_STDERR_LINES)
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._collect_replies, self._collect_complaints)]
        for thread in self._threads:
            thread.start()
        try:
            if (version := self.ask("protocol_version")) != "2":
                raise self._failed(f"speaks GTP version {version[:20]}, not 2")
            self.name, self.version = self.ask("name"), self.ask("version")
            self.commands = frozenset(self.ask("list_commands").split())
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> GtpClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, command: str, *, timeout_s: float | None = None) -> Reply:
        """One command, without a number, and its answer; raises `EngineError` if none comes."""
        text = clean(command.replace("\n", " "))
        if not text:
            raise InputError("an empty GTP command")
        if self._why:
            raise self._failed(self._why)
        self._count += 1
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{self._count} {text}\n")
            self._process.stdin.flush()
        except OSError:
            raise self._failed(f"died before '{text}'") from None
        limit = self._timeout_s if timeout_s is None else timeout_s
        try:
            answer = self._replies.get(timeout=limit)
        except queue.Empty:
            raise self._failed(f"did not answer '{text}' within {limit:g} s") from None
        if answer is None:
            raise self._failed(f"died at '{text}'")
        number, reply = answer
        if number not in {"", str(self._count)}:  # Some engines leave the number out.
            raise self._failed(f"answered command {number[:20]} instead of {self._count}, '{text}'")
        return reply

    def ask(self, command: str, *, timeout_s: float | None = None) -> str:
        """The text of a good answer; raises `EngineError` if the engine refuses, after which it can still be used, or dies."""
        reply = self.send(command, timeout_s=timeout_s)
        if not reply.ok:
            raise EngineError(f"GTP engine '{self._label}' refused '{clean(command)}': {reply.text}")
        return reply.text

    def close(self) -> None:
        """Ask the engine to leave, and kill it and what it started if it does not."""
        if self._process.poll() is None and not self._why:
            with contextlib.suppress(OSError, ValueError, subprocess.TimeoutExpired):
                assert self._process.stdin is not None
                self._process.stdin.write("quit\n")
                self._process.stdin.close()
                self._process.wait(_PATIENCE_S)
        self._why = self._why or "was closed"
        self._kill()
        for thread in self._threads:
            thread.join(_PATIENCE_S)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError):
                assert pipe is not None
                pipe.close()

    @property
    def _label(self) -> str:
        return Path(self.command[0]).name

    def _kill(self) -> None:
        with contextlib.suppress(OSError):
            if os.name == "posix":
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()
        self._process.wait()

    def _failed(self, why: str) -> EngineError:
        """The error to raise; the engine is killed, because what it would answer next is unknown."""
        if not self._why:
            self._why = why
            self._kill()
            self._threads[1].join(_PATIENCE_S)  # Its last words may still be in the pipe.
        said = " | ".join(self._complaints)
        return EngineError(f"GTP engine '{self._label}' {why}", got=f"on stderr: {said}" if said else "")

    def _collect_replies(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(OSError, ValueError):
            for answer in read_replies(self._process.stdout):
                self._replies.put(answer)
        self._replies.put(None)

    def _collect_complaints(self) -> None:
        assert self._process.stderr is not None
        with contextlib.suppress(OSError, ValueError):
            for line in self._process.stderr:
                if line.strip():
                    self._complaints.append(line.strip()[:200])
