"""What the static quantizers share: a float model whose ranges are calibrated once, and layers that can be left in float."""

from __future__ import annotations

import math
import tempfile
from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np

from toolkit.core import Artifact, Samples, Scalar, Signature, UnknownNameError
from toolkit.formats import Layer

from .base import Converter, Recipe
from .noise import quieter, worst_ratio

SEPARATOR = "; "


class Calibrated(Protocol):
    """A float model and what its quantizer must know of its values."""

    file_name: str
    layers: tuple[Layer, ...]

    def write(self, target: Path, keep_float: Collection[str]) -> None:
        """Write the model to `target` with every layer in integers but those."""

    def outputs(self, file: Path | None) -> Iterator[dict[str, np.ndarray]]:
        """What a quantized file, or the float model for None, gives on the calibration samples, batch by batch."""


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
    """An edge to integers with ranges from calibration samples; a recipe that names layers itself is followed to the letter."""

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

            def write(folder: str, keep_float: Collection[str]) -> Path:
                (Path(work) / folder).mkdir()
                calibrated.write(file := Path(work) / folder / target.name, keep_float)
                return file

            made = write("first", recipe.keep_float)
            if self.fragile and not recipe.keep_float:
                fragile = [layer.name for layer in calibrated.layers if layer.kind in self.fragile]

                def ratio(file: Path) -> float:
                    return _signal_to_noise(calibrated.outputs(None), calibrated.outputs(file))

                made = quieter(made, ratio=ratio, again=lambda: write("second", fragile))
            for file in made.parent.iterdir():
                file.rename(target.parent / file.name)
        return None

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
    exact = list(calibrated.outputs(None))
    found: list[float] = []
    for group in groups:
        with tempfile.TemporaryDirectory(dir=work) as folder:
            calibrated.write(file := Path(folder) / calibrated.file_name, [name for name in every if name not in group])
            found.append(_signal_to_noise(exact, calibrated.outputs(file)))
    return found


def _signal_to_noise(exact: Iterable[dict[str, np.ndarray]], noisy: Iterable[dict[str, np.ndarray]]) -> float:
    """As `worst_ratio`; minus infinity where the engine refuses the noisy file."""
    try:
        return worst_ratio(zip(exact, noisy, strict=True))
    except RuntimeError:
        return -math.inf
