"""What one engine answers for one artifact: the outputs on probes and on real samples, seen in a process of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import numpy as np

from toolkit.core import (
    Artifact,
    EngineError,
    Samples,
    Signature,
    fits,
    instruction_sets,
    memory_limit,
    run_isolated,
    write_arrays,
)
from toolkit.core.free_sizes import sizes_text
from toolkit.core.mapped import GrowingFile, adopted, spill_file
from toolkit.core.sample_axes import rows_first

from .. import find_runtime
from ..base import Actual, Session, SessionOptions
from .probes import batch_sizes, probe

CHUNK = 32
_SIZED_BATCH = 3
_TIMEOUT_S = 900.0


@dataclass(frozen=True)
class Observation:
    """Outputs by name.

    Args:
        artifact: its content's hash.
        actual: what the engine gave.
        probes: ``probes[batch][output]`` for each batch size.
        samples: ``samples[output]`` for the real samples, ``[N, ...]`` with the rows first where an axis is theirs, in a file where they
            are large.
        problem: why there are none: a wrong name, order, shape or dtype of an output, or an engine that failed.
        instruction_sets: those of the processor that computed them.
        sized: as `probes`, for each of other sizes than the samples have, by `sizes_text`.
    """

    artifact: str
    actual: Actual | None
    probes: dict[int, dict[str, np.ndarray]]
    samples: dict[str, np.ndarray]
    problem: str = ""
    instruction_sets: tuple[str, ...] = ()
    sized: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)

    def arrays(self) -> dict[str, np.ndarray]:
        """All outputs in one dictionary, ``<batch>/<output>``, ``<sizes>/<output>`` and ``samples/<output>``: what `of_arrays` takes."""
        each = [*self.probes.items(), *self.sized.items()]
        probes = {f"{key}/{name}": array for key, outputs in each for name, array in outputs.items()}
        return probes | {f"samples/{name}": array for name, array in self.samples.items()}

    @classmethod
    def of_arrays(cls, artifact: str, arrays: Mapping[str, np.ndarray], *, actual: Actual | None = None, problem: str = "") -> Observation:
        """The observation whose `arrays` these are."""
        probes: dict[int, dict[str, np.ndarray]] = {}
        samples: dict[str, np.ndarray] = {}
        sized: dict[str, dict[str, np.ndarray]] = {}
        for key, array in arrays.items():
            where, _, output = key.partition("/")
            if not output:
                raise ValueError(f"'{key}' is no output of a probe")
            other = probes.setdefault(int(where), {}) if where.isdecimal() else sized.setdefault(where, {})
            outputs = samples if where == "samples" else other
            outputs[output] = array
        sized.pop("samples", None)
        return cls(artifact, actual, probes, samples, problem, sized=sized)


@dataclass(frozen=True)
class Steps:
    """So many steps of one stream, a sample a step.

    Args:
        count: how many.
        states: by input the output that is its next value.
    """

    count: int
    states: dict[str, str]


@dataclass(frozen=True)
class Task:
    """The request.

    Args:
        artifact: its folder.
        engine: its name.
        device: cpu, gpu, npu or auto.
        folder: where the samples are shared.
        outputs: the files in which the outputs for the samples are wanted, by name.
        sizes: as `observe` takes them.
        steps: as `observe` takes them.
    """

    artifact: str
    engine: str
    device: str
    folder: str
    outputs: dict[str, str]
    sizes: tuple[dict[str, int], ...]
    steps: Steps | None


@dataclass(frozen=True)
class Done:
    """The answer beside ``outputs.npz`` of the probes and the files of the request, which are there unless there was a ``problem``."""

    actual: Actual
    problem: str
    instruction_sets: tuple[str, ...]


def observe(
    artifact: Artifact,
    engine: str,
    samples: Samples,
    *,
    sizes: Sequence[dict[str, int]] = (),
    steps: Steps | None = None,
    device: str = "cpu",
    timeout_s: float | None = None,
    log: Path | None = None,
) -> Observation:
    """Run `artifact` on `engine` over seeded probes of every batch size and over all `samples`, in a fresh process; over probes of those
    `sizes` too which the artifact takes. With `steps` it is run over these alone, and its next states are outputs as
    any other. It may take `timeout_s` seconds: by default a quarter of an hour and one for each sample.

    Raises:
        ToolkitError: the process crashed, the engine is missing or refused the model.
    """
    files = {spec.name: spill_file() for spec in artifact.manifest.signature.outputs}
    try:
        with tempfile.TemporaryDirectory(prefix="toolkit-parity-") as name:
            folder = Path(name)
            samples.share(folder)
            outputs = {output: str(file) for output, file in files.items()}
            task = Task(str(artifact.path.resolve()), engine, device, name, outputs, tuple(sizes), steps)
            most_s = _TIMEOUT_S + len(samples) if timeout_s is None else timeout_s
            found = run_isolated(f"{__name__}:observe_task", task, timeout_s=most_s, memory_bytes=memory_limit(), log=log)
            done = msgspec.convert(found, Done)
            arrays = dict(np.load(folder / "outputs.npz", allow_pickle=False)) if not done.problem else {}
        seen = Observation.of_arrays(artifact.manifest.content_sha256, arrays, actual=done.actual, problem=done.problem)
        if not done.problem:
            seen.samples.update({output: adopted(files.pop(output)) for output in [*files]})
    finally:
        for file in files.values():
            file.unlink()
    return replace(seen, instruction_sets=done.instruction_sets)


def observe_task(task: Task) -> Done:
    """The child's half of `observe`: leaves ``outputs.npz`` in the folder of the request, and its files."""
    artifact = Artifact.load(Path(task.artifact))
    folder = Path(task.folder)
    samples = Samples.shared(folder).fit(artifact.manifest.signature)
    seen = Observation(artifact.manifest.content_sha256, None, {}, {})
    problem = ""
    with find_runtime(task.engine).open(artifact, SessionOptions(device=task.device)) as session:
        try:
            if task.steps is None:
                _probe(session, samples, task.sizes, seen)
            parts = _over_steps(session, samples, task.steps) if task.steps else _over_samples(session, samples)
            _write(parts, {name: Path(file) for name, file in task.outputs.items()})
        except EngineError as error:
            problem = str(error)
        actual = session.actual
    if not problem:
        write_arrays(folder / "outputs.npz", seen.arrays())
    return Done(actual, problem, tuple(instruction_sets()))


def _probe(session: Session, samples: Samples, sizes: Sequence[dict[str, int]], seen: Observation) -> None:
    """Add what the session answers to probes."""
    for batch in batch_sizes(session.signature, samples):
        inputs = probe(session.signature, batch=batch, samples=samples)
        seen.probes[batch] = _checked(session, inputs, batch)
    for own in sizes:
        if takes(session.signature, own):
            batch = _SIZED_BATCH if session.signature.has_free_batch else batch_sizes(session.signature, samples)[0]
            inputs = probe(session.signature, batch=batch, samples=samples, sizes=own)
            at = sizes_text(own)
            try:
                seen.sized[at] = _checked(session, inputs, batch)
            except EngineError as error:
                raise EngineError(f"at {at}: {error}") from error


def takes(signature: Signature, sizes: Mapping[str, int]) -> bool:
    """Whether a network takes these sizes, as far as its signature says."""
    return set(sizes) <= set(signature.free) and (
        not signature.sizes or any(dict(sizes).items() <= each.items() for each in signature.sizes)
    )


def _over_samples(session: Session, samples: Samples) -> Iterator[dict[str, np.ndarray]]:
    """The outputs for all samples, a batch at a time, the rows first where an axis is theirs.

    Of an output whose first dimension is not the batch there are only those of whole batches.
    """
    signature = session.signature
    step = CHUNK if signature.has_free_batch else batch_sizes(signature, samples)[0]
    whole = len(samples) // step * step if not signature.has_free_batch else len(samples)
    for start in range(0, whole, step):
        rows = samples.batch(slice(start, start + step))
        outputs = _checked(session, [rows[spec.name] for spec in signature.inputs], min(step, whole - start))
        yield _rows_first(outputs, signature, samples)


def _over_steps(session: Session, samples: Samples, steps: Steps) -> Iterator[dict[str, np.ndarray]]:
    """The outputs of each step, the next states among them; where the samples end they begin again."""
    signature = session.signature
    stream = session.stream(states=steps.states)
    size = 1 if signature.has_free_batch else batch_sizes(signature, samples)[0]
    for step in range(steps.count):
        rows = samples.batch(np.arange(step * size, (step + 1) * size) % len(samples))
        shown = stream.run({spec.name: rows[spec.name] for spec in signature.inputs if spec.name not in steps.states})
        now = stream.states
        yield _rows_first({**shown.as_dict(), **{after: now[before] for before, after in steps.states.items()}}, signature, samples)


def _write(parts: Iterable[Mapping[str, np.ndarray]], files: Mapping[str, Path]) -> None:
    """Write outputs as ``.npy``, so that a few of them are in memory at a time."""
    growing: dict[str, GrowingFile] = {}
    try:
        for outputs in parts:
            for name, part in outputs.items():
                file = growing.get(name) or growing.setdefault(name, GrowingFile(files[name], part))
                if part.shape[1:] == file.shape:
                    file.append(part)
        for name, path in files.items():
            if name in growing:
                growing[name].close()
            else:
                GrowingFile(path, np.zeros(0)).close()
    finally:
        for file in growing.values():
            file.abandon()


def _rows_first(outputs: Mapping[str, np.ndarray], signature: Signature, samples: Samples) -> dict[str, np.ndarray]:
    """Outputs with their rows first."""
    specs = {spec.name: spec for spec in signature.outputs}
    alone = samples.one_by_one and not samples.drawn
    return {name: rows_first(array, specs[name], signature, one_by_one=alone) for name, array in outputs.items()}


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
