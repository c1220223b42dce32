"""A conversion in a process of its own, and the cache before it."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from toolkit.core import Artifact, ArtifactError, Samples, StorageError, UnknownNameError, memory_limit, new_folder, run_isolated
from toolkit.tasks import Limits

from .base import Converter, Recipe
from .cache import copy, key_of, lookup, store
from .planner import all_converters
from .recipes import Choices

# Libraries' own reports; warnings and errors still reach the log.
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "1", "PYTHONWARNINGS": "ignore"}


@dataclass(frozen=True)
class Obtained:
    """An artifact, whether it came out of the cache, and the seconds that took."""

    artifact: Artifact
    from_cache: bool
    seconds: float


def obtain(
    converter: Converter,
    source: Artifact,
    out: Path,
    recipe: Recipe,
    *,
    timeout_s: float = 600.0,
    memory_bytes: int | None = None,
    log: Path | None = None,
) -> Obtained:
    """The artifact that `converter` makes of `source`, in the folder `out`: out of the cache, else made in a process of its own.

    A crash, a time limit or a memory limit (by default most of what is free) ends that process only and leaves nothing behind. ``log``
    receives what the libraries print.

    Raises:
        ToolkitError: as `Converter.convert`.
        ProcessError: the process crashed, ran longer than `timeout_s` seconds, or needed more than `memory_bytes`.
    """
    start = time.perf_counter()
    key = key_of(converter, source, recipe)
    kept = lookup(key)
    if kept is not None:
        try:
            return Obtained(_adopted(kept, source, converter, recipe, out), True, time.perf_counter() - start)
        except (ArtifactError, FileNotFoundError):
            # Another process removed or replaced the entry while it was copied: as if it had not been there.
            pass
    artifact = convert_isolated(converter, source, out, recipe, timeout_s=timeout_s, memory_bytes=memory_bytes, log=log)
    # A cache that cannot be written must not undo a conversion that succeeded.
    with contextlib.suppress(StorageError):
        store(key, artifact)
    return Obtained(artifact, False, time.perf_counter() - start)


def _adopted(kept: Artifact, source: Artifact, converter: Converter, recipe: Recipe, out: Path) -> Artifact:
    """A copy of the kept artifact as a child of `source`, whose names, labels and origin may differ from those it was first made of."""
    own = source.manifest
    manifest = replace(
        kept.manifest,
        model=own.model,
        variant=recipe.variant,
        root=own.root or own.content_sha256,
        calibration=converter.check(source, recipe),
        preprocessing=own.preprocessing,
        labels=own.labels,
        task=own.task,
        data=own.data,
        details=own.details,
        evidence=(),
    )
    return copy(kept, out, manifest=manifest)


def convert_isolated(
    converter: Converter,
    source: Artifact,
    out: Path,
    recipe: Recipe,
    *,
    timeout_s: float = 600.0,
    memory_bytes: int | None = None,
    log: Path | None = None,
) -> Artifact:
    """`converter.convert` in a fresh process, without the cache; arguments and errors as `obtain`."""
    samples = recipe.calibration if converter.is_calibrated or converter.uses_samples else None
    with tempfile.TemporaryDirectory(prefix="toolkit-") as scratch:
        if samples is not None:
            samples.share(Path(scratch))

        def task(folder: str) -> Task:
            return Task(
                converter=converter.name,
                source=str(source.path.absolute()),
                out=folder,
                calibration=scratch if samples is not None else None,
                batch_sizes=recipe.batch_sizes,
                keep_float=recipe.keep_float,
                choices=recipe.choices,
                variant=recipe.variant,
                effort=recipe.effort,
                seeks_layers=recipe.seeks_layers,
                limits=recipe.limits,
                search_s=timeout_s / 2,
            )

        return made_isolated(out, f"{__name__}:convert_task", task, timeout_s=timeout_s, memory_bytes=memory_bytes, log=log)


def made_isolated(
    out: Path,
    function: str,
    task: Callable[[str], object],
    *,
    timeout_s: float = 600.0,
    memory_bytes: int | None = None,
    log: Path | None = None,
) -> Artifact:
    """The artifact that a child's `function` writes into the folder that its `task` is made for; it appears at `out` whole or not at all,
    because a killed child cannot clean up after itself. Raises as `run_isolated`.
    """
    with new_folder(out) as work:
        made = work / "made"
        most = memory_bytes or memory_limit()
        run_isolated(function, task(str(made.absolute())), timeout_s=timeout_s, memory_bytes=most, log=log, environment=QUIET)
        for file in made.iterdir():
            file.rename(work / file.name)
        made.rmdir()
    return Artifact.load(out)


@dataclass(frozen=True)
class Task:
    """The request: the ``converter``'s name, the folders of the ``source`` and of what is made of it, and the `Recipe`, its samples in a
    folder where they are shared.
    """

    converter: str
    source: str
    out: str
    calibration: str | None
    batch_sizes: tuple[int, ...]
    keep_float: tuple[str, ...]
    choices: Choices
    variant: str
    effort: int = 1
    search_s: float = 300.0
    limits: Limits = field(default_factory=Limits)
    seeks_layers: bool = True


def convert_task(task: Task) -> None:
    """What the child runs: one conversion."""
    converters = {converter.name: converter for converter in all_converters()}
    if task.converter not in converters:
        raise UnknownNameError("converter", task.converter, converters)
    recipe = Recipe(
        calibration=Samples.shared(Path(task.calibration)) if task.calibration else None,
        batch_sizes=task.batch_sizes,
        keep_float=task.keep_float,
        choices=task.choices,
        variant=task.variant,
        effort=task.effort,
        search_s=task.search_s,
        limits=task.limits,
        seeks_layers=task.seeks_layers,
    )
    converters[task.converter].convert(Artifact.load(Path(task.source)), Path(task.out), recipe)
