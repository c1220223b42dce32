"""What a converter must be: one edge of the graph whose nodes are (format, precision).

A new converter is one file in this folder, named ``<target>_from_<source>`` or ``<format>_<precision>`` for a quantizer;
the public method checks and writes the artifact, the underscored one makes the model file.
``tests/converters/contract.py`` is the test that every converter passes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, final

from toolkit.core import (
    MANIFEST,
    Artifact,
    CalibrationRecord,
    ConversionError,
    DataError,
    Format,
    InputError,
    Manifest,
    Precision,
    Samples,
    Scalar,
    Signature,
    ToolkitError,
    needs,
    new_folder,
    sha256_of,
    version_of,
)

from .operators import operators_in


@dataclass(frozen=True)
class Node:
    """A kind of artifact: a format in a precision."""

    format: Format
    precision: Precision

    def __str__(self) -> str:
        return f"{self.format}-{self.precision}"


@dataclass(frozen=True)
class Recipe:
    """How to convert. ``calibration`` are real samples under the signature's input names, never used for evaluation;
    ``batch_sizes`` are the signatures of a format that cannot leave the batch free; ``keep_float`` names the layers of the float file
    that a quantizer leaves alone; ``options`` are a converter's own.
    """

    calibration: Samples | None = None
    batch_sizes: tuple[int, ...] = (1, 32)
    keep_float: tuple[str, ...] = ()
    options: Mapping[str, Scalar] = field(default_factory=dict)


class Converter(ABC):
    """An edge from one kind of artifact to another. ``distributions`` are the packages whose versions decide the result; ``settings``
    are the fixed choices that decide it, written to the manifest.
    """

    name: ClassVar[str]
    source: ClassVar[Node]
    target: ClassVar[Node]
    extra: ClassVar[str]
    distributions: ClassVar[tuple[str, ...]]
    settings: ClassVar[Mapping[str, Scalar]] = {}

    def recipe_record(self, recipe: Recipe) -> dict[str, Scalar]:  # noqa: ARG002 - a converter that reads the recipe adds what it read
        """What decides this edge's result besides source and calibration, as written to the manifest and hashed into the cache key.

        A converter that reads ``recipe.batch_sizes`` or ``recipe.options`` adds what it reads, and nothing else, so that what it
        ignores does not change its cache key.
        """
        return dict(self.settings)

    def versions(self) -> dict[str, str]:
        """The versions of the packages that do the work, read without importing them."""
        return {name: version for name in self.distributions if (version := version_of(name))}

    @final
    def convert(self, source: Artifact, out: Path, recipe: Recipe) -> Artifact:
        """Convert `source` into the folder `out`, which appears whole or not at all.

        Raises:
            InputError: the source is of another kind, or calibration samples are missing or do not fit.
            MissingDependencyError: the extra is not installed.
            ConversionError: the library refused, or the result is not what was asked for.
        """
        calibration = self.check(source, recipe)
        with new_folder(out) as work:
            target = work / self.target.format.file_name
            try:
                with needs(self.extra):
                    signature = self._convert(source, target, recipe) or source.manifest.signature
                    operators = operators_in(target, self.target.format)
            except (ToolkitError, OSError, MemoryError):
                raise
            except Exception as error:
                # OpenVINO begins with where in its sources an error was raised.
                lines = [line for line in str(error).strip().splitlines() if line and not line.startswith(("Exception from ", "Check '"))]
                text = " ".join(lines[:2])[:300]
                raise ConversionError(f"{self.name} failed: {type(error).__name__}: {text}") from error
            if self.target.precision.is_quantized and operators.quantized == 0:
                raise ConversionError(
                    f"{self.name} quantized nothing", expected="integer operators in the file", got=f"{operators.total} float operators"
                )
            manifest = Manifest(
                model=source.manifest.model,
                format=self.target.format,
                precision=self.target.precision,
                signature=signature,
                files={file.name: sha256_of(file) for file in sorted(work.iterdir())},
                edge=self.name,
                parent=source.manifest.content_sha256,
                root=source.manifest.root or source.manifest.content_sha256,
                recipe=self.recipe_record(recipe),
                versions=self.versions(),
                calibration=calibration,
                preprocessing=source.manifest.preprocessing,
                labels=source.manifest.labels,
                data=source.manifest.data,
                details=source.manifest.details,
                operators=operators,
            )
            (work / MANIFEST).write_bytes(manifest.to_json())
        return Artifact.load(out)

    @abstractmethod
    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:
        """Write the model file `target` (and files beside it); return a signature only if it differs from the source's."""

    @final
    def check(self, source: Artifact, recipe: Recipe) -> CalibrationRecord | None:
        """Whether this edge can start from `source` with `recipe`, without a framework; the record of the calibration if there is one.

        Raises:
            InputError: the source is of another kind.
            DataError: calibration samples are missing or do not fit the source's inputs.
        """
        kind = Node(source.manifest.format, source.manifest.precision)
        if kind != self.source:
            raise InputError(f"converter '{self.name}'", expected=str(self.source), got=str(kind))
        if not self.target.precision.is_calibrated:
            return None
        if recipe.calibration is None:
            raise DataError(f"{self.target} needs calibration samples", hint="name a data set: --data digits, or --data samples.npz")
        samples = recipe.calibration.fit(source.manifest.signature)
        return CalibrationRecord(samples.origin, len(samples), samples.sha256)
