"""The commands as functions, for programs and notebooks: what the command line calls, with networks and samples that are in memory.

    bundle = toolkit.convert(net, torch.zeros(2, 3, 224, 224), data=loader, metric="accuracy")
    report = toolkit.benchmark(bundle)

Errors are `ToolkitError`. Each result is the dataclass that ``--json`` prints; those of `convert` and `evaluate` show themselves in a
notebook.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from toolkit.converters.base import Node
from toolkit.core import Artifact, Bundle, InputError
from toolkit.core.measurement import BenchmarkReport, Protocol
from toolkit.core.rules import parse_drop
from toolkit.core.tables import html_table
from toolkit.runtimes.benchmark import RoundProgress
from toolkit.tasks import Limits

from . import benchmark as benchmarks
from . import convert as conversions
from . import evaluate as evaluations
from . import optimize as optimizing
from . import quantize as quantizing
from .data import Given
from .in_memory import array_shapes, named_data, named_source
from .progress import OnEvent
from .request import BATCH_SIZES, FORMATS, TIMEOUT_S, asked_limits, plan_of, read_samples, request_for, targets_of
from .source.opened import HOME, Opened, opened
from .source.place import Source
from .source.remembered import limits_for
from .source.resolve import current, resolve_source
from .source.samples import CALIBRATION_SAMPLES, Split, split_samples
from .source.sizing import Fix, Sizing, as_sizing
from .verify import Verified, Verifier, try_limits, verify_all

CHOICE_SAMPLES = 2000
"""At most so many samples choose layers for float."""
OPTIMIZED = ("fp32", "fp16", "bf16", "int8", "int8-dynamic", "int8-weights", "int4-weights")
"""What `optimize` tries unless somebody says otherwise."""


@dataclass(frozen=True)
class Converted(Bundle):
    """A bundle with what became of each target."""

    rows: tuple[conversions.Row, ...] = field(default=(), repr=False)

    @property
    def passed(self) -> bool:
        """Whether every target that exists passed, and every precision exists in some of the formats."""
        return conversions.succeeded(self.rows)

    def _repr_html_(self) -> str:
        cells = [
            (row.target, row.artifact.verdict or "" if row.artifact else "not made", row.reason or _evidence(row)) for row in self.rows
        ]
        return html_table(str(self.path), ("artifact", "parity", "evidence"), cells)


def _evidence(row: conversions.Row) -> str:
    return row.artifact.manifest.evidence[0].reason if row.artifact is not None and row.artifact.manifest.evidence else ""


def convert(
    model: Any,
    inputs: Any = None,
    *,
    to: Sequence[str] = FORMATS,
    precision: Sequence[str] | None = None,
    recipes: Sequence[str] = (),
    data: Any = None,
    metric: str = "",
    task: str = "",
    max_drop: float | str | None = None,
    folds: bool = False,
    effort: int = 1,
    name: str = "",
    weights: str | Path | None = None,
    fix: Fix = None,
    ranges: str | Sequence[str] = (),
    values: Mapping[str, float] | None = None,
    states: Mapping[str, str] | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    calibration: int = CALIBRATION_SAMPLES,
    evaluation: int | None = None,
    batch_sizes: Sequence[int] = BATCH_SIZES,
    timeout_s: float = TIMEOUT_S,
    on_progress: OnEvent | None = None,
) -> Converted:
    """Convert a network and verify the result, as ``toolkit convert``; one target that fails does not stop the others.

    Args:
        model: a `torch.nn.Module`, an ``ExportedProgram``, a Keras model, a `Bundle`, or anything that the command takes.
        inputs: of a module: example tensors, whose first dimension is a free batch, or specs such as ``"x:float32[batch,8]"``; several in
            order or by name.
        to: formats.
        precision: by default fp32, fp16 and int8; int8 needs data.
        recipes: names or files, in place of the default precisions.
        data: arrays by name with ``targets``, a tuple of inputs and targets, a loader, or what ``--data`` takes.
        metric: the one that decides: a name, or ``"mymetric.py:dice"``.
        task: what the outputs mean; by default what model and data say.
        max_drop: what int8 may lose: points of a share, else the metric's unit, or ``"1%"`` of its value.
        folds: whether the rows that calibrate verify too, through twins.
        effort: how much is tried where plain integers have too much noise: 0 nothing, 3 most.
        name: the bundle's, of a model in memory; by default the class's.
        weights: a file of weights for a source that has none.
        fix: sizes where a format needs fixed ones, ``"h=32,w=320"`` or ``{"h": 32, "w": 320}``; several make several signatures.
        ranges: bounds of free sizes, ``"w=32:960:32"``, whose ends are verified too.
        values: what an input is in every sample, ``{"sr": 16000}``.
        states: by input the output that is its next value, ``{"h": "h_out"}``; by default those whose names say so.
        out: the folder of bundles; by default ``artifacts``, or the model's own bundle.
        overwrite: whether another trained model there may be lost.
        calibration: at most so many samples calibrate.
        evaluation: at most so many verify; all by default.
        batch_sizes: TF Lite files get a signature for each.
        timeout_s: for each step.
        on_progress: called with a target and what has happened to it.

    Raises:
        ToolkitError: the model, the data or the metric cannot be used; nothing is half-written.
    """
    targets, named = targets_of(to, precision, recipes)
    asked, sizes = _asked(metric, task, max_drop), (calibration, evaluation)
    with _read(
        model,
        inputs,
        targets,
        data=data,
        asked=asked,
        name=name,
        weights=weights,
        out=out,
        sizes=sizes,
        sizing=as_sizing(fix, ranges, values, states),
    ) as read:
        request = request_for(
            read.source,
            read.split,
            targets,
            asked=asked,
            out=read.out,
            batch_sizes=tuple(batch_sizes),
            timeout_s=timeout_s,
            recipes=named,
            overwrite=overwrite,
            data=read.data,
            folds=folds,
            effort=effort,
        )
        conversions.check_kept(request)
        plan = plan_of(request)
        rows = conversions.convert(request, on_progress=on_progress)
    return Converted(request.out, tuple(replace(row, samples=plan) for row in rows))


def quantize(
    model: Any,
    inputs: Any = None,
    *,
    to: Sequence[str] = FORMATS,
    data: Any = None,
    metric: str = "",
    task: str = "",
    max_drop: float | str | None = None,
    name: str = "",
    fix: Fix = None,
    ranges: str | Sequence[str] = (),
    values: Mapping[str, float] | None = None,
    states: Mapping[str, str] | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    calibration: int = CALIBRATION_SAMPLES,
    choice: int = CHOICE_SAMPLES,
    evaluation: int | None = None,
    on_progress: OnEvent | None = None,
) -> tuple[quantizing.Quantized, ...]:
    """Quantize a network to int8 with as few layers in float as the limit needs, as ``toolkit quantize``; arguments as `convert`.

    Args:
        model: as `convert` takes it.
        inputs: as `convert` takes them.
        choice: at most so many samples choose layers.

    Raises:
        ToolkitError: as `convert`.
    """
    targets, asked = conversions.nodes(to, ["int8"]), _asked(metric, task, max_drop)
    with _read(
        model,
        inputs,
        targets,
        data=data,
        asked=asked,
        name=name,
        out=out,
        sizes=(calibration, evaluation),
        sizing=as_sizing(fix, ranges, values, states),
    ) as read:
        split, choosing = quantizing.divide(read.split, choice)
        request = request_for(read.source, split, targets, asked=asked, out=read.out, overwrite=overwrite, data=read.data)
        plan = plan_of(request, choosing)
        results = quantizing.quantize(request, choice=choosing, on_progress=on_progress)
    return tuple(replace(each, samples=plan) for each in results)


def optimize(
    model: Any,
    inputs: Any = None,
    *,
    budget: str = optimizing.Budget.LATENCY,
    to: Sequence[str] = FORMATS,
    precision: Sequence[str] | None = None,
    recipes: Sequence[str] = (),
    data: Any = None,
    metric: str = "",
    task: str = "",
    max_drop: float | str | None = None,
    name: str = "",
    fix: Fix = None,
    ranges: str | Sequence[str] = (),
    values: Mapping[str, float] | None = None,
    states: Mapping[str, str] | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    calibration: int = CALIBRATION_SAMPLES,
    choice: int = CHOICE_SAMPLES,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> optimizing.Optimized:
    """Find what is best for a network on this machine, as ``toolkit optimize``; the other arguments are those of `convert`.

    Args:
        model: as `convert` takes it.
        inputs: as `convert` takes them.
        budget: what to optimize for, as the command's ``--budget``.
        precision: by default all.
        choice: at most so many samples choose layers.
        on_progress: called with what is done, how many steps are done, and of how many; 0 where that is not known.

    Raises:
        ToolkitError: as `convert`, or nothing passed.
    """
    targets, named = targets_of(to, precision, recipes, default=OPTIMIZED)
    asked = _asked(metric, task, max_drop)
    with _read(
        model,
        inputs,
        targets,
        data=data,
        asked=asked,
        name=name,
        out=out,
        sizes=(calibration, None),
        sizing=as_sizing(fix, ranges, values, states),
    ) as read:
        request = request_for(
            read.source, read.split, targets, asked=asked, out=read.out, recipes=named, overwrite=overwrite, data=read.data
        )
        result = optimizing.optimize(request, choice=choice, budget=optimizing.Budget(budget), on_progress=on_progress)
    return replace(result, samples=plan_of(request))


def verify(
    bundle: Bundle | str | Path,
    *,
    data: Any = None,
    fix: Fix = None,
    ranges: str | Sequence[str] = (),
    values: Mapping[str, float] | None = None,
    states: Mapping[str, str] | None = None,
    metric: str = "",
    task: str = "",
    max_drop: float | str | None = None,
    engines: Sequence[str] = (),
    evaluation: int | None = None,
    device: str = "cpu",
    on_progress: Callable[[str], None] | None = None,
) -> dict[str, Verified]:
    """Verify the artifacts of a bundle again, as ``toolkit verify``, by artifact name; their manifests keep the evidence.

    Args:
        bundle: or its folder.
        fix: as `convert` takes it.
        ranges: as `convert` takes them.
        values: as `convert` takes them.
        states: as `convert` takes them.
        engines: by default the first that runs each format.
        evaluation: at most so many samples.
        device: of the engines.
        on_progress: called with the name of each artifact that is done.

    Raises:
        ToolkitError: there is nothing to verify, or the data cannot be used.
    """
    loaded = Bundle.load(Path(bundle.path if isinstance(bundle, Bundle) else bundle))
    sizing = as_sizing(fix, ranges, values, states)
    root, artifacts = Opened(loaded, sizing=sizing).subject, current(loaded)
    if not artifacts:
        raise InputError(f"'{loaded.path}' holds nothing to verify", expected="artifacts beside the trained model", hint="call convert")
    limits, _ = limits_for(_asked(metric, task, max_drop), loaded.path)
    given = named_data(data, root.manifest.signature)
    samples = split_samples(root, given, evaluation=evaluation, only_judged=True, may_draw=True, limits=limits, sizing=sizing).evaluation
    try_limits(root, samples, limits)
    verifier = Verifier(root, samples, limits, device, made=loaded)
    wanted = {artifact.name: engines for artifact in artifacts} if engines else None
    return verify_all(verifier, artifacts, engines=wanted, on_done=on_progress)


def benchmark(
    bundle: Bundle | str | Path,
    *,
    data: Any = None,
    fix: Fix = None,
    ranges: str | Sequence[str] = (),
    values: Mapping[str, float] | None = None,
    states: Mapping[str, str] | None = None,
    engines: Sequence[str] | None = None,
    threads: Sequence[int] | None = None,
    batches: Sequence[int] = (1,),
    device: str = "cpu",
    protocol: Protocol | None = None,
    on_progress: Callable[[RoundProgress], None] | None = None,
) -> BenchmarkReport:
    """Measure every artifact of a bundle in every installed engine, as ``toolkit benchmark``; the bundle keeps the report.

    Args:
        bundle: or its folder.
        fix: as `convert` takes it.
        ranges: as `convert` takes them.
        values: as `convert` takes them.
        states: as `convert` takes them.
        data: inputs, by default those that the bundle remembers, else random ones.
        engines: by default all that run each format.
        threads: by default as many as this process may use.
        batches: batch sizes.
        device: of the engines.
        protocol: how long and how often.
        on_progress: called after each round.

    Raises:
        ToolkitError: nothing can be measured.
    """
    loaded = Bundle.load(Path(bundle.path if isinstance(bundle, Bundle) else bundle))
    sizing = as_sizing(fix, ranges, values, states)
    root = Opened(loaded, sizing=sizing).example
    samples = split_samples(root, named_data(data, root.manifest.signature), evaluation=2048, may_draw=True, sizing=sizing).evaluation
    benchmarks.check_sizes(root, samples)
    report = benchmarks.benchmark_bundle(
        loaded,
        samples,
        protocol=protocol,
        engines=engines,
        device=device,
        threads=None if threads is None else tuple(threads),
        batches=tuple(batches),
        on_progress=on_progress,
    )
    benchmarks.keep_report(loaded, report)
    return report


def evaluate(
    artifact: Any,
    *,
    data: Any = None,
    fix: Fix = None,
    ranges: str | Sequence[str] = (),
    values: Mapping[str, float] | None = None,
    states: Mapping[str, str] | None = None,
    metric: str = "",
    task: str = "",
    engine: str | None = None,
    evaluation: int | None = None,
    device: str = "cpu",
) -> evaluations.Evaluation:
    """How good a deployed artifact is on test samples, as ``toolkit evaluate``.

    Args:
        artifact: an `Artifact`, its folder, or a model file.
        fix: as `convert` takes it.
        ranges: as `convert` takes them.
        values: as `convert` takes them.
        states: as `convert` takes them.
        data: by default what its bundle remembers.
        metric: one of the task's, or a user's own; by default all of the task's.
        task: what the outputs mean.
        engine: by default the first installed one that runs it.
        evaluation: at most so many samples.
        device: of the engine.

    Raises:
        ToolkitError: nothing says what the outputs mean, or the data do not fit.
    """
    sizing = as_sizing(fix, ranges, values, states)
    with named_source(artifact, None) as (text, _), opened(text, sizing=sizing) as found:
        single = found.single
        limits, _ = limits_for(_asked(metric, task, None), single.path.parent)
        given = named_data(data, single.manifest.signature)
        samples = split_samples(single, given, evaluation=evaluation, only_judged=True, limits=limits, sizing=sizing).evaluation
        return evaluations.evaluate(single, samples, limits=limits, engine=engine, device=device)


@dataclass(frozen=True)
class _Reading:
    """A source with its samples, and where its bundle shall be; None for where it is."""

    source: Source
    split: Split
    data: Given | None
    out: Path | None


@contextmanager
def _read(
    model: Any,
    inputs: Any,
    targets: tuple[Node, ...],
    *,
    data: Any,
    asked: Limits,
    name: str,
    out: str | Path | None,
    sizes: tuple[int, int | None],
    sizing: Sizing,
    weights: str | Path | None = None,
) -> Iterator[_Reading]:
    """The source and the samples while the block lasts; `sizes` are how many samples calibrate and verify at most."""
    in_memory = not isinstance(model, str | Path | Bundle | Artifact)
    home = Path(out) if out is not None else HOME if in_memory else None
    with named_source(model, inputs, name=name, sizing=sizing, shapes=array_shapes(data)) as (text, words):
        source = resolve_source(
            text,
            out=home or HOME,
            weights=None if weights is None else Path(weights),
            inputs=words,
            sizing=sizing,
            shapes=array_shapes(data),
        )
        given = named_data(data, source.artifact.manifest.signature)
        source, split = read_samples(source, targets, asked=asked, data=given, calibration=sizes[0], evaluation=sizes[1], sizing=sizing)
        yield _Reading(source, split, given, home)


def _asked(metric: str, task: str, max_drop: float | str | None) -> Limits:
    if max_drop is None:
        return asked_limits(None, task=task, metric=metric)
    try:
        drop = parse_drop(str(max_drop))
    except ValueError:
        raise InputError("max_drop", expected="a number of at least 0, or a percentage such as '1%'", got=repr(max_drop)) from None
    return asked_limits(drop, task=task, metric=metric)
