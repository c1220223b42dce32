"""One call of a model in a process of its own: the file may be anyone's, and an engine may crash on it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from toolkit.core import memory_limit, run_isolated, write_arrays
from toolkit.runtimes import find_runtime
from toolkit.runtimes.base import Actual, check_device

from .load import load


@dataclass(frozen=True)
class Answer:
    """The outputs by name, and what the engine really gave."""

    outputs: dict[str, np.ndarray]
    actual: Actual


@dataclass(frozen=True)
class Task:
    """The request: ``model`` is opened and called with the arrays of ``inputs.npz`` in ``folder``, by their ``names`` in its order."""

    model: str
    names: tuple[str, ...]
    engine: str | None
    device: str
    threads: int | None
    folder: str


@dataclass(frozen=True)
class Done:
    """The answer: the ``names`` of the arrays of ``outputs.npz`` in its order, and what the engine really gave."""

    names: tuple[str, ...]
    actual: Actual


def run_once(
    model: Path,
    inputs: Mapping[str, np.ndarray],
    *,
    engine: str | None = None,
    device: str = "cpu",
    threads: int | None = None,
    timeout_s: float = 600.0,
) -> Answer:
    """Open `model` as `toolkit.load` does and run it once, in a fresh process; a single input may have the name ``""``.

    Raises:
        ToolkitError: as `toolkit.load` and `Session.run`.
        ProcessError: the engine crashed, took longer than `timeout_s` seconds, or more memory than the machine has.
    """
    check_device(device)
    if engine is not None:
        find_runtime(engine)
    with tempfile.TemporaryDirectory(prefix="toolkit-") as name:
        folder = Path(name)
        # By number: a name may be one that no archive takes.
        write_arrays(folder / "inputs.npz", {str(index): array for index, array in enumerate(inputs.values())})
        task = Task(str(model), tuple(inputs), engine, device, threads, name)
        found = run_isolated(f"{__name__}:run_task", task, timeout_s=timeout_s, memory_bytes=memory_limit())
        done = msgspec.convert(found, Done)
        with np.load(folder / "outputs.npz", allow_pickle=False) as arrays:
            outputs = {name: arrays[str(index)] for index, name in enumerate(done.names)}
    return Answer(outputs, done.actual)


def run_task(task: Task) -> Done:
    """The child's half of `run_once`: leaves ``outputs.npz`` in the folder of the request."""
    folder = Path(task.folder)
    with np.load(folder / "inputs.npz", allow_pickle=False) as arrays:
        inputs = {name: arrays[str(index)] for index, name in enumerate(task.names)}
    with load(Path(task.model), engine=task.engine, device=task.device, threads=task.threads) as session:
        outputs = session.run(inputs[""] if list(inputs) == [""] else inputs).as_dict()
        actual = session.actual
    write_arrays(folder / "outputs.npz", {str(index): array for index, array in enumerate(outputs.values())})
    return Done(tuple(outputs), actual)
