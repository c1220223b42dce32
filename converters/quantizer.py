"""What the static quantizers share: a float model whose ranges are calibrated once, and layers that can be left in float."""

from __future__ import annotations

import functools
import logging
import math
import tempfile
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np

from toolkit.core import Artifact, Samples, Scalar, Signature, UnknownNameError
from toolkit.formats import Layer

from .base import Converter, Recipe
from .ends import Graph, float_ends
from .noise import ENOUGH_DB, Exact, quieter

SEPARATOR = "; "


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

    def outputs(self, file: Path, *, exact_sums: bool = False) -> Iterator[dict[str, np.ndarray]]:
        """What a quantized file gives on the calibration samples, batch by batch; with `exact_sums` as on a processor whose sums of
        products never saturate.
        """


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

    Without one, what is behind the last layers stays float where parts of an output have ranges of their own and one of them has too
    much noise on the calibration samples: one range over boxes in pixels and probabilities leaves the probabilities a single value.
    """

    keeps_float = True
    fragile: ClassVar[frozenset[str]] = frozenset()
    """Kinds of layers that stay float where that gives less noise and the outputs had too much."""
    float_kinds: ClassVar[Mapping[str, str]] = {}
    """Kinds of layers that stay float always, and why."""
    unfused: ClassVar[str]
    """Why a layer of another kind that was to be in integers is not."""

    def recipe_record(self, recipe: Recipe) -> dict[str, Scalar]:
        """The settings, the choices that are not the default, and the layers that stay float."""
        return super().recipe_record(recipe) | ({"keep_float": SEPARATOR.join(recipe.keep_float)} if recipe.keep_float else {})

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:
        with tempfile.TemporaryDirectory(dir=target.parent) as work:
            calibrated = self.calibrate(source, recipe, Path(work))
            known = [layer.name for layer in calibrated.layers]
            for name in recipe.keep_float:
                if name not in known:
                    raise UnknownNameError("layer", name, known)

            def write(keep_float: Collection[str]) -> Path:
                calibrated.write(file := Path(tempfile.mkdtemp(dir=work)) / target.name, keep_float)
                return file

            made = write(recipe.keep_float)
            if not recipe.keep_float:
                made = self._quieter(calibrated, made, write)
            for file in made.parent.iterdir():
                file.rename(target.parent / file.name)
        return None

    def _quieter(self, calibrated: Calibrated, made: Path, write: Callable[[Collection[str]], Path]) -> Path:
        """The quietest of `made`, with every layer in integers, and of what `write` makes with more in float, until one is quiet enough.

        First what comes behind the last layers, for the outputs whose parts have ranges of their own; then the fragile kinds, beside what
        helped before.
        """
        fragile = frozenset(layer.name for layer in calibrated.layers if layer.kind in self.fragile)
        groups = calibrated.exact.groups
        if not fragile and not groups:
            return made
        kept = {made: frozenset[str]()}
        ratios = functools.cache(functools.partial(_ratios, calibrated, exact_sums=True))
        noisy = [name for name in groups if ratios(made)[name] < ENOUGH_DB]

        layers = {layer.name for layer in calibrated.layers if layer.multiply_adds}

        def again(names: frozenset[str]) -> Path:
            if layers <= names:  # Nothing would be left in integers: that is the float file.
                return made
            try:
                file = write(names)
            except Exception as error:  # Whatever the library raises: there is a file, and this was to be a better one.
                logging.getLogger(__name__).warning("not made with %s in float: %s", SEPARATOR.join(sorted(names)), error)
                return made
            kept[file] = names
            return file

        def worst(file: Path) -> float:
            return min(ratios(file).values())

        def worst_part(file: Path) -> float:
            return min(ratios(file)[name] for name in noisy)

        for names in float_ends(calibrated.graph(), noisy, layers=layers) if noisy else ():
            made = quieter(made, ratio=worst_part, again=functools.partial(again, names))
        if fragile:
            made = quieter(made, ratio=worst, again=lambda: again(kept[made] | fragile))
        return made

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


def _ratios(calibrated: Calibrated, file: Path, *, exact_sums: bool = False) -> dict[str, float]:
    """The ratio of each output of a quantized file; minus infinity where the engine refuses the file."""
    try:
        return calibrated.exact.ratios(calibrated.outputs(file, exact_sums=exact_sums))
    except RuntimeError:
        return dict.fromkeys(next(iter(calibrated.exact)), -math.inf)
