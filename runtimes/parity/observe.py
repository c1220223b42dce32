"""What one engine answers for one artifact: the outputs on probes and on real samples, seen in a process of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

from toolkit.core import Artifact, EngineError, Samples, fits, instruction_sets, memory_limit, run_isolated, write_arrays

from .. import find_runtime
from ..base import Actual, Session, SessionOptions
from .probes import batch_sizes, probe

CHUNK = 32


@dataclass(frozen=True)
class Observation:
    """Outputs by name: ``probes[batch][output]`` for each batch size, ``samples[output]`` ``[N, ...]`` for the real samples.

    ``problem`` is the reason why there are none: a wrong name, order, shape or dtype of an output, or an engine that failed.
    ``instruction_sets`` are those of the processor that computed them.
    """

    artifact: str
    actual: Actual | None
    probes: dict[int, dict[str, np.ndarray]]
    samples: dict[str, np.ndarray]
    problem: str = ""
    instruction_sets: tuple[str, ...] = ()

    def arrays(self) -> dict[str, np.ndarray]:
        """All outputs in one dictionary, ``<batch>/<output>`` and ``samples/<output>``: what `of_arrays` takes."""
        probes = {f"{batch}/{name}": array for batch, outputs in self.probes.items() for name, array in outputs.items()}
        return probes | {f"samples/{name}": array for name, array in self.samples.items()}

    @classmethod
    def of_arrays(cls, artifact: str, arrays: Mapping[str, np.ndarray], *, actual: Actual | None = None, problem: str = "") -> Observation:
        """The observation whose `arrays` these are."""
        probes: dict[int, dict[str, np.ndarray]] = {}
        samples: dict[str, np.ndarray] = {}
        for key, array in arrays.items():
            where, _, output = key.partition("/")
            outputs = samples if where == "samples" else probes.setdefault(int(where), {})
            outputs[output] = array
        return cls(artifact, actual, probes, samples, problem)


@dataclass(frozen=True)
class Task:
    """The request: the ``artifact``'s folder; ``folder`` is where the samples are shared."""

    artifact: str
    engine: str
    device: str
    folder: str


@dataclass(frozen=True)
class Done:
    """The answer beside ``outputs.npz``, which is there unless there was a ``problem``."""

    actual: Actual
    problem: str
    instruction_sets: tuple[str, ...]


def observe(
    artifact: Artifact, engine: str, samples: Samples, *, device: str = "cpu", timeout_s: float = 900.0, log: Path | None = None
) -> Observation:
    """Run `artifact` on `engine` over seeded probes of every batch size and over all `samples`, in a fresh process.

    Raises:
        ToolkitError: the process crashed, the engine is missing or refused the model.
    """
    with tempfile.TemporaryDirectory(prefix="toolkit-parity-") as name:
        folder = Path(name)
        samples.share(folder)
        task = Task(str(artifact.path.resolve()), engine, device, name)
        found = run_isolated(f"{__name__}:observe_task", task, timeout_s=timeout_s, memory_bytes=memory_limit(), log=log)
        done = msgspec.convert(found, Done)
        arrays = dict(np.load(folder / "outputs.npz", allow_pickle=False)) if not done.problem else {}
    seen = Observation.of_arrays(artifact.manifest.content_sha256, arrays, actual=done.actual, problem=done.problem)
    return replace(seen, instruction_sets=done.instruction_sets)


def observe_task(task: Task) -> Done:
    """The child's half of `observe`: leaves ``outputs.npz`` in the folder of the request."""
    artifact = Artifact.load(Path(task.artifact))
    folder = Path(task.folder)
    samples = Samples.shared(folder).fit(artifact.manifest.signature)
    seen = Observation(artifact.manifest.content_sha256, None, {}, {})
    problem = ""
    with find_runtime(task.engine).open(artifact, SessionOptions(device=task.device)) as session:
        try:
            for batch in batch_sizes(session.signature):
                inputs = probe(session.signature, batch=batch, samples=samples)
                seen.probes[batch] = _checked(session, inputs, batch)
            seen.samples.update(_over_samples(session, samples))
        except EngineError as error:
            problem = str(error)
        actual = session.actual
    if not problem:
        write_arrays(folder / "outputs.npz", seen.arrays())
    return Done(actual, problem, tuple(instruction_sets()))


def _over_samples(session: Session, samples: Samples) -> dict[str, np.ndarray]:
    signature = session.signature
    step = CHUNK if signature.has_free_batch else batch_sizes(signature)[0]
    whole = len(samples) // step * step if not signature.has_free_batch else len(samples)
    chunks: dict[str, list[np.ndarray]] = {spec.name: [] for spec in signature.outputs}
    for start in range(0, whole, step):
        rows = samples.batch(slice(start, start + step))
        inputs = [rows[spec.name] for spec in signature.inputs]
        for name, array in _checked(session, inputs, min(step, whole - start)).items():
            chunks[name].append(array)
    return {name: _joined(parts) for name, parts in chunks.items()}


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    """The parts behind each other; of an output whose first dimension is not the batch only those of whole batches."""
    if not parts or not parts[0].ndim:
        return np.asarray(parts)
    return np.concatenate([part for part in parts if part.shape[1:] == parts[0].shape[1:]])


def _checked(session: Session, inputs: list[np.ndarray], batch: int) -> dict[str, np.ndarray]:
    """The outputs by name, each with the dtype and the shape that the signature promises for this batch."""
    outputs = session.run(inputs).as_dict()
    pairs = [
        pair for spec, given in zip(session.signature.inputs, inputs, strict=True) for pair in zip(spec.shape, given.shape, strict=True)
    ]
    sizes = {symbol: size for symbol, size in pairs if isinstance(symbol, str)}
    for spec in session.signature.outputs:
        array = outputs[spec.name]
        # A dimension of an output may be any symbol of an input's, states by step are [seq, batch, 8], or a formula of them.
        free = [size if isinstance(size, int) else sizes.get(size, size) for size in spec.shape]
        if array.dtype != np.dtype(spec.dtype) or not fits(array.shape, free):
            raise EngineError(
                f"output '{spec.name}' at batch {batch}",
                expected=f"{spec.dtype}[{','.join(map(str, free))}]",
                got=f"{array.dtype}[{','.join(map(str, array.shape))}]",
            )
    return outputs
