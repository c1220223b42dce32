"""The app's end of an engine's process."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Sequence
from dataclasses import replace

import msgspec
import numpy as np

from toolkit.core import EngineError, modules_path
from toolkit.core.errors import class_of
from toolkit.core.isolated import Spawned, ending_of, send_request

from .memory import SharedMemory, laid_out
from .messages import LOOK, NO_TEXT, Answer, Arrangement, Opened, Opening, receive, send

_STATEMENT = "from toolkit.runtimes.isolated.child import main; main()"
_CLOSE_S = 10.0
_LONGEST_MS = 2**31 - 1
_RUNNING = "running the model"
_AGAIN = "load the model again"
_NONE = (0, NO_TEXT)


class EngineProcess:
    """A process with a model open in it; ``opened`` is what it says of the model. It takes one call at a time.

    Raises:
        ToolkitError: that of `Runtime.open` there.
        EngineError: the process crashed, or took longer than `timeout_s` seconds; each later call raises the same one.
    """

    def __init__(self, opening: Opening, *, timeout_s: float | None) -> None:
        self._engine, self._timeout_s = opening.engine, timeout_s
        self._owner = os.getpid()
        self._number = 0
        self._busy = False
        self._problem = ""
        self._left = False
        self._shapes: list[tuple[int, ...]] | None = None  # Of the call whose arrays lie where those of the next one may; None for none.
        self._inputs: list[np.ndarray] = []
        self._outputs: list[np.ndarray] = []
        self._child: Spawned | None = None
        self._pipes: list[int] = []
        self._memory = SharedMemory.create()
        try:
            self._start(opening)
            self.opened = self._first_answer(opening.path)
        except BaseException:
            self.end()
            raise

    def _start(self, opening: Opening) -> None:
        requests, self._requests = os.pipe()
        self._answers, answers = os.pipe()
        self._pipes = [self._requests, self._answers]
        self._poll = select.poll()
        self._poll.register(self._answers, select.POLLIN)
        try:
            files = (requests, answers, self._memory.file)
            self._child = Spawned(_STATEMENT, {**os.environ, **modules_path()}, files=files)
        finally:
            os.close(requests)
            os.close(answers)
        request = replace(opening, requests=requests, answers=answers, memory=self._memory.file)
        send_request(self._child.stdin, msgspec.json.encode(request) + b"\n")

    def _first_answer(self, path: str) -> Opened:
        hint = "is the file complete? convert it again, or choose another engine"
        opened = self._read(*self._wait(f"opening '{path}'", hint=hint)).opened
        assert opened is not None
        return opened

    @property
    def pid(self) -> int:
        """Its number."""
        assert self._child is not None
        return self._child.pid

    def run(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The outputs for inputs in signature order; the arrays are the caller's.

        Where an exception such as Ctrl-C cuts it short, the process goes on with that call, and the next one waits for its end.
        """
        self._make_ready()
        shapes = [array.shape for array in arrays]
        text = _NONE if shapes == self._shapes else self._arrange(arrays)
        for place, array in zip(self._inputs, arrays, strict=True):
            np.copyto(place, array)
        start, size = self._ask(*text)
        if size != NO_TEXT:
            self._shapes = None
            blocks = self._read(start, size).outputs
            self._outputs = [self._memory.array(block) for block in blocks]
            self._shapes = shapes
        return [output.copy() for output in self._outputs]

    def peak_bytes(self) -> int:
        """The peak of its memory."""
        self._make_ready()
        peak, _ = self._ask(0, LOOK)
        return peak

    def close(self) -> None:
        """Let it close the model and end; it is killed where it is in the middle of a call, or takes longer than a few seconds."""
        if self._child is not None and not self._problem and not self._busy and os.getpid() == self._owner:
            os.close(self._requests)
            self._pipes.remove(self._requests)
            self._poll.poll(1000 * _CLOSE_S)  # Until it has closed its end.
        self.end()

    def end(self) -> None:
        """Kill it, if it still runs, and give back what belongs to it; a fork of the app's process leaves it alone."""
        if os.getpid() != self._owner:
            return
        self._problem = self._problem or "the session is closed; open the model again"
        if self._child is not None:
            self._child.close()
        pipes, self._pipes = self._pipes, []
        for pipe in pipes:
            os.close(pipe)
        self._inputs, self._outputs = [], []
        self._memory.close()

    def leave(self) -> None:
        """End it because the app ends. What is still in a call then is a daemon thread, which would only say that its call has failed."""
        self._left = True
        self.end()

    def _make_ready(self) -> None:
        self._stand_still_if_left()
        if self._problem:
            raise EngineError(self._problem)
        if os.getpid() != self._owner:
            raise EngineError("the model is open in the process that this one is a fork of", hint="load it in this one")
        if self._busy:  # A call was cut short: the process may still read its inputs and write its outputs.
            self._shapes = None
            self._ask(0, LOOK)

    def _arrange(self, arrays: Sequence[np.ndarray]) -> tuple[int, int]:
        """Give the inputs places at the start of the memory, and put a text about them where the outputs will be: its start and size."""
        self._shapes = None
        blocks, free = laid_out(arrays, 0)
        text = msgspec.json.encode(Arrangement(blocks, free))
        self._memory.write(free, text)
        self._inputs = [self._memory.array(block) for block in blocks]
        return free, len(text)

    def _ask(self, start: int, size: int) -> tuple[int, int]:
        """Send a request and wait for its answer; start and size of the texts of both."""
        self._busy = True
        self._number += 1
        try:
            send(self._requests, self._number, start, size)
        except BrokenPipeError:
            raise self._ended(_RUNNING, hint=_AGAIN) from None
        answer = self._wait(_RUNNING, hint=_AGAIN)
        self._busy = False
        return answer

    def _wait(self, doing: str, *, hint: str) -> tuple[int, int]:
        while True:
            if self._timeout_s is not None and not self._poll.poll(min(1000 * self._timeout_s, _LONGEST_MS)):
                raise self._ended(doing, f"took longer than {self._timeout_s:g} s and was stopped", hint=hint)
            received = receive(self._answers)
            if received is None:
                raise self._ended(doing, hint=hint)
            number, start, size = received
            if number == self._number:  # Else it is of a call that was cut short.
                return start, size

    def _read(self, start: int, size: int) -> Answer:
        """The text of an answer; raises the error that it tells."""
        answer = msgspec.json.decode(self._memory.read(start, size), type=Answer)
        if answer.error:
            raise class_of(answer.error, EngineError)(answer.text)
        return answer

    def _stand_still_if_left(self) -> None:
        if self._left and threading.current_thread().daemon:
            threading.Event().wait()

    def _ended(self, doing: str, how: str = "", *, hint: str) -> EngineError:
        """The error of a process that has ended, or that stands still and is stopped."""
        self._stand_still_if_left()
        assert self._child is not None
        if how:
            self._child.kill()
        code = self._child.wait()
        error = EngineError(f"{self._engine} {how or ending_of(code)} while {doing}", hint=hint)
        self._problem = str(error)
        self.end()
        return error
