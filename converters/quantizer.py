"""What the static quantizers share: a float model whose ranges are calibrated once, and layers that can be left in float."""

from __future__ import annotations

import functools
import math
import tempfile
from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np

from toolkit.core import QAT_EPOCHS, Artifact, Samples, Scalar, UnknownNameError
from toolkit.formats import Layer
from toolkit.tasks.user_metric import metric_sha256

from .base import Converter, Made, Recipe
from .ends import Graph
from .ladder import DEFAULT_EFFORT, SECONDS, Setting, Trials, climb, record
from .noise import Exact
from .quality import Judge
from .recipes import Choices
from .tried import SEPARATOR


class Calibrated(Protocol):
    """A float model and what its quantizer must know of its values."""

    file_name: str
    layers: tuple[Layer, ...]
    exact: Exact
    """What the float model gives on the calibration samples."""

    def graph(self) -> Graph:
        """The float model's operations, by the names that `write` takes."""

    def write(self, target: Path, keep_float: Collection[str]) -> None:
        """Write the model to `target` with every layer in integers but those."""

    def outputs(self, file: Path) -> Iterator[dict[str, np.ndarray]]:
        """What a quantized file gives on the calibration samples, batch by batch, as a session on this machine computes it."""

    def applies(self, choice: str) -> bool:
        """Whether that choice can change anything in this model."""


@dataclass(frozen=True)
class Execution:
    """How an engine runs a quantized file on this machine."""

    integers: frozenset[str]
    """The names of the layers that it computes in integers."""
    conversions: int
    """How often it converts between integers and floats on the way."""

    def share(self, layers: Iterable[Layer]) -> float:
        """The share of all multiply-adds of `layers` that is done in integers; 0 where nothing is multiplied."""
        every = list(layers)
        total = sum(layer.multiply_adds for layer in every)
        return sum(layer.multiply_adds for layer in every if layer.name in self.integers) / total if total else 0.0


class StaticQuantizer(Converter):
    """An edge to integers with ranges from calibration samples; a recipe that names layers itself is followed to the letter.

    Without one, what `ladder` knows is tried where the outputs have too much noise on the calibration samples, or lose too much of the
    task's metric, as far as the recipe's effort goes.
    """

    keeps_float = True
    fragile: ClassVar[frozenset[str]] = frozenset()
    """Kinds of layers that stay float where that gives less noise and the outputs had too much."""
    float_kinds: ClassVar[Mapping[str, str]] = {}
    """Kinds of layers that stay float always, and why."""
    unfused: ClassVar[str]
    """Why a layer of another kind that was to be in integers is not."""

    def recipe_record(self, recipe: Recipe) -> dict[str, Scalar]:
        """The settings, the choices that are not the default, the layers that stay float, and an effort that is not the default."""
        kept = {"keep_float": SEPARATOR.join(recipe.keep_float)} if recipe.keep_float else {}
        effort = {"effort": recipe.effort} if recipe.effort != DEFAULT_EFFORT else {}
        seeks = {} if recipe.seeks_layers else {"seeks_layers": False}
        limits = replace(recipe.limits, metric=Path(recipe.limits.metric).name)
        judged = {"judged_by": f"{limits.text} {metric_sha256(recipe.limits.metric)[:12]}".rstrip()} if limits.text else {}
        return super().recipe_record(recipe) | kept | effort | seeks | judged

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Made:
        with tempfile.TemporaryDirectory(dir=target.parent) as work:
            trials = self._trials(source, target.name, recipe, Path(work))
            setting = Setting(recipe.choices, frozenset(recipe.keep_float))
            if recipe.keep_float or not recipe.effort:
                made = trials.write(setting)
            else:
                trials.begin(setting)
                climb(trials, effort=recipe.effort, seconds=SECONDS[recipe.effort], most=recipe.search_s, seeks_layers=recipe.seeks_layers)
                made = trials.best.file
            for file in made.parent.iterdir():
                file.rename(target.parent / file.name)
            return Made(record=record(trials, recipe.choices))

    def _trials(self, source: Artifact, name: str, recipe: Recipe, work: Path) -> Trials:
        """The float model, calibrated once for each set of choices that is tried."""

        @functools.cache
        def calibrated(choices: Choices) -> Calibrated:
            return self.calibrate(source, replace(recipe, choices=choices), Path(tempfile.mkdtemp(dir=work)))

        first = calibrated(recipe.choices)
        known = [layer.name for layer in first.layers]
        for layer in recipe.keep_float:
            if layer not in known:
                raise UnknownNameError("layer", layer, known)
        judge = Judge(source.manifest, first.exact, recipe.calibration, recipe.limits)

        def write(setting: Setting) -> Path:
            calibrated(setting.choices).write(file := Path(tempfile.mkdtemp(dir=work)) / name, setting.keep_float)
            return file

        return Trials(
            write,
            lambda file: judge.quality(lambda: first.outputs(file)),
            layers=first.layers,
            graph=first.graph,
            choices=self.choices,
            applies=first.applies,
            fixed=recipe.choices.given(),
            fragile=self.fragile,
            groups=first.exact.groups if not recipe.keep_float and recipe.effort else {},
            alone_db=lambda runs: sensitivity(first, runs, work),
            may_float=not recipe.choices.integer_io,  # For devices that have none.
        )

    @abstractmethod
    def execution(self, file: Path) -> Execution:
        """What becomes of a quantized file in the engine of its format on this machine; raises what the engine raises."""

    def calibrate(self, source: Artifact, recipe: Recipe, work: Path) -> Calibrated:
        """The float model of `source` with the ranges that the recipe's calibration samples reach, by its choices; files may be left in the
        folder `work`.
        """
        assert recipe.calibration is not None
        return self._calibrate(source, recipe.calibration.fit(source.manifest.signature), recipe, work)

    @abstractmethod
    def _calibrate(self, source: Artifact, samples: Samples, recipe: Recipe, work: Path) -> Calibrated:
        """As `calibrate`, with samples that fit."""


def reduces_range(choices: Choices, source: Artifact) -> bool:
    """Whether weights use half of their range: unless a recipe says otherwise, or they were trained as levels of the whole."""
    return choices.reduce_range is not False and not source.manifest.details.get(QAT_EPOCHS)


def sensitivity(calibrated: Calibrated, groups: Sequence[Collection[str]], work: Path) -> list[float]:
    """The signal-to-noise ratio in decibels with the layers of each group alone in integers; 200 where that changes nothing, minus
    infinity where the engine refuses that file, -200 where its outputs are not finite.
    """
    every = [layer.name for layer in calibrated.layers]
    found: list[float] = []
    for group in groups:
        with tempfile.TemporaryDirectory(dir=work) as folder:
            calibrated.write(file := Path(folder) / calibrated.file_name, [name for name in every if name not in group])
            found.append(min(_ratios(calibrated, file).values()))
    return found


def _ratios(calibrated: Calibrated, file: Path) -> dict[str, float]:
    """The ratio of each output of a quantized file; minus infinity where the engine refuses the file."""
    try:
        return calibrated.exact.ratios(calibrated.outputs(file))
    except Exception:  # Whatever an engine raises: onnxruntime's errors have no common class.
        return dict.fromkeys(next(iter(calibrated.exact)), -math.inf)
