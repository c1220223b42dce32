"""What is asked for, from the words of a command or the arguments of the Python API: targets, source, samples and limits as one request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from toolkit.converters.base import Node
from toolkit.converters.recipes import NamedRecipe, find_recipe
from toolkit.core import DataError, Format, InputError, Samples
from toolkit.core.free_sizes import sizes_text
from toolkit.tasks import Limits, find_metric, find_task, is_users
from toolkit.tasks.user_metric import about_metric, resolved

from .convert import Request, nodes
from .data import Given
from .folds import check_folds
from .source.opened import HOME
from .source.place import Source
from .source.plan import SamplePlan, plan_samples
from .source.remembered import limits_for
from .source.resolve import check_samples, resolve_source
from .source.samples import CALIBRATION_SAMPLES, Split, knows_data, split_samples
from .source.sizing import Sizing, with_samples
from .verify import must_try, try_limits

FORMATS = ("onnx", "tflite", "openvino")
"""What is made unless somebody says otherwise."""
PRECISIONS = ("fp32", "fp16", "int8")
BATCH_SIZES = (1, 32)
TIMEOUT_S = 600.0
_FREE = frozenset({Format.ONNX, Format.OPENVINO})
"""Formats whose files leave sizes free."""


def asked_limits(max_drop: tuple[float, bool] | None = None, *, task: str = "", metric: str = "") -> Limits:
    """The limits that a user names, before any work.

    Args:
        max_drop: how much may be lost, and whether that is in percent of the metric's value; None for the default.
        task: its name.
        metric: its name, or ``mymetric.py:dice``.

    Raises:
        UnknownNameError: no such task or metric.
        InputError: a user's metric that is none.
    """
    found = find_task(task) if task else None
    if is_users(metric):
        about_metric(metric)
        metric = resolved(metric)
    elif metric:
        found, _ = find_metric(metric, found)
    amount, relative = max_drop if max_drop is not None else (Limits().max_drop, None)
    return Limits(amount, relative, found.name if found else "", metric)


def targets_of(
    formats: Sequence[str], precisions: Sequence[str] | None, words: Sequence[str] = (), *, default: Sequence[str] = PRECISIONS
) -> tuple[tuple[Node, ...], tuple[NamedRecipe, ...]]:
    """What to make, and by which recipes.

    Args:
        formats: their names.
        precisions: their names; None where nobody asked for any: they are `default`, or give way to recipes.
        words: names or files of recipes.
        default: of the command.

    Raises:
        UnknownNameError: no such format, precision or recipe.
        InputError: two recipes of one name.
    """
    recipes = tuple(find_recipe(word) for word in words)
    if len({recipe.name for recipe in recipes}) < len(recipes):
        raise InputError("--recipe", expected="recipes of different names", got=", ".join(recipe.name for recipe in recipes))
    asked = precisions if precisions is not None else () if recipes else default
    return nodes(formats, asked, recipes), recipes


def read_source(
    source: str,
    targets: tuple[Node, ...],
    *,
    asked: Limits,
    data: Given | None = None,
    data_dir: Path | None = None,
    out: Path | None = None,
    calibration: int = CALIBRATION_SAMPLES,
    evaluation: int | None = None,
    weights: Path | None = None,
    inputs: Sequence[str] = (),
    sizing: Sizing | None = None,
    on_step: Callable[[str], None] | None = None,
) -> tuple[Source, Split]:
    """What `source` names and its samples, which are random ones where none are known and none of the targets needs any. Nothing is
    written: samples that do not fit must not leave an imported model behind.

    Args:
        source: as `resolve_source` takes it.
        targets: what is to be made.
        asked: what the user names of task, metric and limit.
        data: what the user names as samples.
        data_dir: where named data sets are.
        out: the folder of bundles.
        calibration: at most so many samples calibrate.
        evaluation: at most so many verify; None for all.
        weights: a file of weights for the source.
        inputs: ``NAME:DTYPE[dims]`` each, for a source that needs them.
        sizing: what the user says of sizes and values.
        on_step: called with what is done next.

    Raises:
        ToolkitError: the source or the samples cannot be used.
    """
    report = on_step or (lambda _words: None)
    check_samples(source, data, inputs, constants=sizing.values if sizing else ())
    report(f"reading {source}")
    found = resolve_source(source, out=out or HOME, weights=weights, data=data, inputs=inputs, sizing=sizing)
    report("reading the samples")
    return read_samples(
        found, targets, asked=asked, data=data, data_dir=data_dir, calibration=calibration, evaluation=evaluation, sizing=sizing
    )


def read_samples(
    found: Source,
    targets: tuple[Node, ...],
    *,
    asked: Limits,
    data: Given | None = None,
    data_dir: Path | None = None,
    calibration: int = CALIBRATION_SAMPLES,
    evaluation: int | None = None,
    sizing: Sizing | None = None,
) -> tuple[Source, Split]:
    """The source with what its samples tell of it, and these; arguments as `read_source`. Raises `DataError`."""
    own = found.artifact.manifest.precision
    calibrated = [str(target) for target in targets if target.precision.is_calibrated and not own.is_quantized]
    if calibrated and not data and not knows_data(found.artifact):
        raise DataError(
            f"no data are known for '{found.artifact.manifest.model}', and {', '.join(calibrated)} cannot be calibrated without",
            hint="add --data with a .npz file or a data set (toolkit data), or make what needs none: --precision fp32",
        )
    limits, _ = limits_for(asked, found.artifact.path.parent)
    split = split_samples(
        found.artifact,
        data,
        folder=data_dir,
        calibration=calibration,
        evaluation=evaluation,
        may_draw=not calibrated,
        limits=limits,
        sizing=sizing,
    )
    signature = with_samples(found.artifact.manifest.signature, split.evaluation, sizing or Sizing())
    found = found.signed(signature)
    if signature.fixes and not (sizing and sizing.fixes) and any(target.format not in _FREE for target in targets):
        at = sizes_text(signature.fixes[0])
        found = found.noted(f"where a format needs fixed sizes they are {at}, as in the samples; others: --fix {at}")
    return found.told(labels=split.labels, preprocessing=split.preprocessing), split


def request_for(
    found: Source,
    split: Split,
    targets: tuple[Node, ...],
    *,
    asked: Limits,
    out: Path | None = None,
    batch_sizes: tuple[int, ...] = BATCH_SIZES,
    timeout_s: float = TIMEOUT_S,
    memory_bytes: int | None = None,
    recipes: tuple[NamedRecipe, ...] = (),
    overwrite: bool = False,
    data: Given | None = None,
    folds: bool = False,
    effort: int = 1,
) -> Request:
    """The request, with the metric tried and then the source in its place: a metric that fails leaves nothing behind.

    Args:
        found: the source.
        split: its samples.
        targets: what is to be made.
        asked: what the user names of task, metric and limit; else the bundle's own count.
        out: the folder of bundles; None for the source's own, or `HOME`.
        batch_sizes: TF Lite files get a signature for each.
        timeout_s: for each step.
        memory_bytes: for each step; None leaves it to the system.
        recipes: of the targets' variants.
        overwrite: whether another trained model may be lost.
        data: what the samples were named by.
        folds: whether what calibrates verifies too.
        effort: how much is tried where plain integers have too much noise, 0 to 3.

    Raises:
        ToolkitError: another model lies there, folds of samples that have none, a metric that fails.
    """
    if folds:
        check_folds(split)
    planned = found.artifact
    in_bundle = out is None and planned.path.name == planned.name
    folder = planned.path.parent if in_bundle else (out or HOME) / planned.manifest.model
    limits, limits_of = limits_for(asked, planned.path.parent, folder)
    if must_try(planned, split.evaluation, limits):
        with found.tried() as artifact:
            try_limits(artifact, split.evaluation, limits)
    return Request(
        found.place(overwrite=overwrite),
        targets,
        folder,
        split,
        limits,
        batch_sizes=batch_sizes,
        timeout_s=timeout_s,
        memory_bytes=memory_bytes,
        recipes=recipes,
        overwrite=overwrite,
        data=data,
        limits_of=limits_of,
        folds=folds,
        effort=effort,
    )


def plan_of(request: Request, choice: Samples | None = None, *, among: bool = False) -> SamplePlan:
    """How a request's samples are divided and whether they are enough; `choice` are those that choose layers, with `among` of those that
    verify all else.
    """
    return plan_samples(
        request.split,
        request.source.manifest,
        limits=request.limits,
        limits_of=request.limits_of,
        in_integers=any(target.precision.is_quantized for target in request.targets),
        choice=choice,
        among=among,
        folds=request.folds,
    )
