"""The engine's process: opens the model, then answers one call after the other until the app closes its pipe."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from toolkit.core import Artifact, EngineError, ToolkitError, ToolkitWarning, words_of
from toolkit.core.isolated import become_child
from toolkit.runtimes import find_runtime

from ..base import Session
from ..benchmark.memory import peak_bytes
from .memory import SharedMemory, laid_out
from .messages import LOOK, NO_TEXT, Answer, Arrangement, Opened, Opening, receive, send


def main() -> None:
    """Open what standard input asks for, and serve it."""
    opening = msgspec.json.decode(become_child(), type=Opening)
    for file in (opening.requests, opening.answers, opening.memory):
        os.set_inheritable(file, False)  # What an engine starts must not keep the app waiting for this process's end.
    warnings.simplefilter("ignore", ToolkitWarning)  # The app has said them.
    memory = SharedMemory(opening.memory)
    with contextlib.suppress(BrokenPipeError):  # The app has ended.
        try:
            session = _open(opening)
            answer = Answer(opened=Opened(session.signature, session.actual))
        except Exception as error:
            _tell(memory, opening.answers, 0, 0, _failure(error))
            os._exit(0)
        _tell(memory, opening.answers, 0, 0, answer)
        server = _Server(session, memory, opening.answers)
        while (received := receive(opening.requests)) is not None:
            server.answer(*received)
        session.close()
    os._exit(0)  # Some engines crash in their own teardown.


def _open(opening: Opening) -> Session:
    path = Path(opening.path)
    model = path if opening.manifest is None else Artifact(path, opening.manifest)
    return find_runtime(opening.engine).open(model, opening.options)


def _failure(error: Exception) -> Answer:
    if isinstance(error, ToolkitError):
        return Answer(error=type(error).__name__, text=str(error))
    return Answer(error=EngineError.__name__, text=words_of(error))


def _tell(memory: SharedMemory, pipe: int, number: int, start: int, answer: Answer) -> None:
    """Put a call's answer into the memory, and say so."""
    text = msgspec.json.encode(answer)
    memory.write(start, text)
    send(pipe, number, start, len(text))


class _Server:
    """Runs calls; knows where the arrays of the last one lie."""

    def __init__(self, session: Session, memory: SharedMemory, answers: int) -> None:
        self._session, self._memory, self._answers = session, memory, answers
        self._inputs: list[np.ndarray] = []
        self._outputs: list[np.ndarray] = []
        self._free = 0  # The first byte after the inputs.
        self._end = 0  # The first one after the outputs.

    def answer(self, number: int, start: int, size: int) -> None:
        """Run the call of a message and say what came of it."""
        if size == LOOK:
            peak = self._session.memory_bytes()
            send(self._answers, number, peak_bytes() if peak is None else peak)
            return
        try:
            if size != NO_TEXT:
                self._arrange(msgspec.json.decode(self._memory.read(start, size), type=Arrangement))
            answer = self._run()
        except Exception as error:
            _tell(self._memory, self._answers, number, self._free, _failure(error))
            return
        if answer is None:
            send(self._answers, number)
        else:
            _tell(self._memory, self._answers, number, self._end, answer)

    def _arrange(self, arrangement: Arrangement) -> None:
        self._free = arrangement.free
        self._inputs = [self._memory.array(block) for block in arrangement.inputs]
        self._outputs = []  # Where outputs lie is told again.

    def _run(self) -> Answer | None:
        """Where the outputs lie; None where that is where those of the last call did."""
        inputs = self._inputs
        results = self._session.run(inputs[0] if len(inputs) == 1 else inputs)
        answer = None
        if not _alike(results, self._outputs):
            blocks, self._end = laid_out(results, self._free)
            self._memory.reach(self._end)
            self._outputs = [self._memory.array(block) for block in blocks]
            answer = Answer(outputs=blocks)
        for place, result in zip(self._outputs, results, strict=True):
            np.copyto(place, result)
        return answer


def _alike(arrays: Sequence[np.ndarray], others: Sequence[np.ndarray]) -> bool:
    return [(array.shape, array.dtype) for array in arrays] == [(other.shape, other.dtype) for other in others]
