"""What can be asked of a static quantizer besides a file, each answer from a process of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from toolkit.core import Artifact, Format, Precision, Samples, needs, run_isolated
from toolkit.formats import Layer

from .base import Node, Recipe
from .planner import all_converters
from .quantizer import Execution, StaticQuantizer, sensitivity
from .task import QUIET

_CHUNK = 16
_MANY = 150
REFUSED_DB = -200.0


@dataclass(frozen=True)
class Sensitivity:
    """Layers that are decided together, mostly one, and the worst signal-to-noise ratio in decibels of the outputs when they alone are
    in integers; 200 where that changes nothing.
    """

    layers: tuple[Layer, ...]
    alone_db: float

    @property
    def multiply_adds(self) -> int:
        """Of all its layers, for one sample."""
        return sum(layer.multiply_adds for layer in self.layers)


def static_quantizer(format: Format) -> StaticQuantizer:
    """The quantizer to int8 of a format; formats without one are no target of `toolkit quantize`."""
    found = (each for each in all_converters() if isinstance(each, StaticQuantizer))
    return next(each for each in found if each.target == Node(format, Precision.INT8))


def sensitivities(
    quantizer: StaticQuantizer,
    source: Artifact,
    samples: Samples,
    *,
    log: Path | None = None,
    timeout_s: float = 600.0,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Sensitivity]:
    """Every layer of the float artifact `source`, measured on `samples` which also fix the ranges, the most sensitive first.

    In a model of very many layers, such as an unrolled recurrence, those of the same kind and size are decided together.

    Args:
        on_progress: called with how many layers are done, and of how many.

    Raises:
        ToolkitError: the quantizer or its process failed.
    """
    found: list[Sensitivity] = []
    groups = _groups(layers_of(quantizer, source, samples, log=log, timeout_s=timeout_s))
    for start in range(0, len(groups), _CHUNK):
        chunk = groups[start : start + _CHUNK]
        names = [[layer.name for layer in group] for group in chunk]
        ratios = _ask(quantizer, source, samples, names, log=log, timeout_s=timeout_s).alone_db
        found += [Sensitivity(group, ratio) for group, ratio in zip(chunk, ratios, strict=True)]
        if on_progress:
            on_progress(len(found), len(groups))
    return sorted(found, key=lambda each: each.alone_db)


def _groups(layers: Sequence[Layer]) -> list[tuple[Layer, ...]]:
    if len(layers) <= _MANY:
        return [(layer,) for layer in layers]
    alike: dict[tuple[str, int], list[Layer]] = {}
    for layer in layers:
        alike.setdefault((layer.kind, layer.multiply_adds), []).append(layer)
    return [tuple(group) for group in alike.values()]


@dataclass(frozen=True)
class Task:
    """The request to a quantizer: the folder of the artifact ``source``, a folder ``scratch`` where the samples are shared, and the
    ``names`` of the layers that are to be measured together.
    """

    quantizer: str
    source: str
    scratch: str
    names: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Study:
    """The answer: the layers, and the ratio in decibels of each group that was named."""

    layers: tuple[Layer, ...]
    alone_db: tuple[float, ...]


@dataclass(frozen=True)
class Model:
    """The request for an `Execution`."""

    file: str
    format: Format


def layers_of(
    quantizer: StaticQuantizer, source: Artifact, samples: Samples, *, log: Path | None = None, timeout_s: float = 600.0
) -> list[Layer]:
    """The layers of the float artifact `source` that the quantizer knows, in order of computation; errors as `sensitivities`.

    They do not depend on `samples`, of which the first is enough.
    """
    return list(_ask(quantizer, source, samples.rows(slice(1)), [], log=log, timeout_s=timeout_s).layers)


def _ask(
    quantizer: StaticQuantizer, source: Artifact, samples: Samples, names: Sequence[Sequence[str]], *, log: Path | None, timeout_s: float
) -> Study:
    with tempfile.TemporaryDirectory(prefix="toolkit-") as scratch:
        samples.share(Path(scratch))
        task = Task(quantizer.name, str(source.path.absolute()), scratch, tuple(map(tuple, names)))
        return msgspec.convert(run_isolated(f"{__name__}:study_task", task, timeout_s=timeout_s, log=log, environment=QUIET), Study)


def study_task(task: Task) -> Study:
    """What the child runs: the layers, and the ratios of those that are named."""
    quantizer = next(each for each in all_converters() if each.name == task.quantizer)
    assert isinstance(quantizer, StaticQuantizer)
    source, scratch = Artifact.load(Path(task.source)), Path(task.scratch)
    with needs(quantizer.extra):
        calibrated = quantizer.calibrate(source, Recipe(Samples.shared(scratch)), scratch)
        ratios = sensitivity(calibrated, task.names, scratch) if task.names else []
    # JSON has no infinity.
    return Study(tuple(calibrated.layers), tuple(max(ratio, REFUSED_DB) for ratio in ratios))


def execution_of(artifact: Artifact, *, log: Path | None = None) -> Execution:
    """How the engine of an artifact's format runs it on this machine; raises `ToolkitError` where the engine fails."""
    model = Model(str(artifact.model_file.absolute()), artifact.manifest.format)
    return msgspec.convert(run_isolated(f"{__name__}:execution_task", model, log=log, environment=QUIET), Execution)


def execution_task(model: Model) -> Execution:
    """What the child runs."""
    quantizer = static_quantizer(model.format)
    with needs(quantizer.extra):
        return quantizer.execution(Path(model.file))


def why_float(layer: Layer, format: Format) -> str:
    """Why a layer that was to be in integers is not."""
    quantizer = static_quantizer(format)
    return quantizer.float_kinds.get(layer.kind, quantizer.unfused)
