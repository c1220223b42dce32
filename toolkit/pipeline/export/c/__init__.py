"""A TF Lite artifact as C sources for TensorFlow Lite Micro.

The sources of the interpreter itself are not here: the Python package holds it compiled for this machine only. What needs none of them,
the array and the quantization of the example, is checked by ``make check`` in the folder that is written.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from toolkit.core import MANIFEST, Artifact, Format, InputError, memory_limit, new_folder, run_isolated, sha256_of, write_arrays
from toolkit.formats import format_of
from toolkit.runtimes import find_runtime
from toolkit.runtimes.parity.probes import probe
from toolkit.runtimes.tflite_micro import MicroSession

from .text import Example, Facts, files_of

_ENGINE = "tflite-micro"
_MARK = "model_data.c"
_FILE = Format.TFLITE.file_name


@dataclass(frozen=True)
class Firmware:
    """What was written: the model's bytes, the arena's, how often each operator occurs, the files' names."""

    model_bytes: int
    sha256: str
    arena_bytes: int
    operators: dict[str, int]
    files: tuple[str, ...]


def export(model: Path, out: Path, inputs: Mapping[str, np.ndarray] | None = None) -> Firmware:
    """Write the folder `out` for an artifact's folder or a ``.tflite`` file, in a process of its own.

    Args:
        inputs: one row of the example, by name, a single one as ``""``; seeded noise where there are none.

    Raises:
        InputError: the model is none for this engine, `inputs` do not fit, or `out` holds something else.
        EngineError: the engine lacks an operator.
        MissingDependencyError: the engine is not installed.
    """
    file = Artifact.load(model).model_file if model.is_dir() else model
    format = format_of(file)
    if format is not Format.TFLITE:
        raise InputError(f"'{model}' for a microcontroller", expected="a TF Lite artifact", got=format)
    if out.exists() and not (out / _MARK).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"'{out}' holds something else", expected="a new folder, or one of an earlier export")
    with tempfile.TemporaryDirectory(prefix="toolkit-") as name:
        # By number: a name may be one that no archive takes.
        given = dict(inputs or {})
        write_arrays(Path(name) / "inputs.npz", {str(index): array for index, array in enumerate(given.values())})
        task = Task(str(model), str(out), str(Path(name) / "inputs.npz"), tuple(given))
        return msgspec.convert(run_isolated(f"{__name__}:export_task", task, memory_bytes=memory_limit()), Firmware)


@dataclass(frozen=True)
class Task:
    """The request: ``inputs`` is an archive of arrays by number, ``names`` are theirs in its order."""

    model: str
    out: str
    inputs: str
    names: tuple[str, ...]


def export_task(task: Task) -> Firmware:
    """The child's half of `export`."""
    path, out = Path(task.model), Path(task.out)
    model: Artifact | Path = Artifact.load(path) if (path / MANIFEST).is_file() else path
    with np.load(task.inputs, allow_pickle=False) as arrays:
        inputs = {name: arrays[str(index)] for index, name in enumerate(task.names)}
    with find_runtime(_ENGINE).open(model) as session:
        assert isinstance(session, MicroSession)
        example = _example(session, inputs)
        micro = session.model
    content, operators = micro.graph.content, Counter(micro.graph.operators)
    texts = files_of(
        Facts(
            title=f"{model.manifest.model}, {model.name}" if isinstance(model, Artifact) else path.name,
            source_sha256=sha256_of(micro.file),
            engine=f"{_ENGINE} {find_runtime(_ENGINE).version()}",
            content=content,
            arena_bytes=micro.arena_bytes,
            operators=tuple(sorted(operators)),
        ),
        example,
    )
    with new_folder(out) as work:
        for name, text in texts.items():
            (work / name).write_text(text)
        (work / _FILE).write_bytes(content)
    files = tuple(sorted([*texts, _FILE]))
    return Firmware(len(content), sha256(content).hexdigest(), micro.arena_bytes, dict(sorted(operators.items())), files)


def _example(session: MicroSession, inputs: dict[str, np.ndarray]) -> Example:
    """One call: its inputs as real numbers where the file has integers with a scale, and as the file's own."""
    given: Any = inputs[""] if list(inputs) == [""] else inputs or probe(session.signature, batch=max(session.batch, 1))
    arrays = session.signature.check(given)
    rows = {len(array) for array in arrays if session.batch}
    if rows - {session.batch}:
        raise InputError("the example", expected=f"{session.batch} rows, as the file's first graph takes", got=str(max(rows)))
    encoded = [port.encode(array) for port, array in zip(session.inputs, arrays, strict=True)]
    moved = [array.transpose(port.to_file) if port.to_file else array for port, array in zip(session.inputs, arrays, strict=True)]
    real = [array if port.affine else own for port, array, own in zip(session.inputs, moved, encoded, strict=True)]
    return Example(session.inputs, session.outputs, real, encoded, session.run_graph(encoded))
