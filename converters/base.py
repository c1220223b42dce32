"""What a converter must be: one edge of the graph whose nodes are (format, precision).

A new converter is one file in this folder, named ``<target>_from_<source>`` or ``<format>_<precision>`` for a quantizer;
the public method checks and writes the artifact, the underscored one makes the model file.
``tests/converters/contract.py`` is the test that every converter passes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
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
    artifact_name,
    needs,
    new_folder,
    sha256_of,
    version_of,
    words_of,
)
from toolkit.formats import find_format
from toolkit.tasks import Limits

from .recipes import Choices


@dataclass(frozen=True)
class Node:
    """A kind of artifact: a format in a precision, and ``variant``, what its recipe's name adds if that is not the default."""

    format: Format
    precision: Precision
    variant: str = ""

    def __str__(self) -> str:
        return artifact_name(self.format, self.precision, self.variant)

    @classmethod
    def parse(cls, name: str) -> Node:
        """What `str` makes of a node, read back: ``onnx-int8-entropy``; raises `UnknownNameError`."""
        format, _, rest = name.partition("-")
        precision = Precision.leading(rest)
        return cls(Format.parse(format), precision, rest.removeprefix(precision).removeprefix("-"))


@dataclass(frozen=True)
class Recipe:
    """How to convert. ``calibration`` are real samples under the signature's input names, never used for evaluation;
    ``batch_sizes`` are the signatures of a format that cannot leave the batch free; ``keep_float`` names the layers of the float file
    that a quantizer leaves alone; ``choices`` are those that the precision leaves open, and ``variant`` what they are called in the
    artifact's name.
    """

    calibration: Samples | None = None
    batch_sizes: tuple[int, ...] = (1, 32)
    keep_float: tuple[str, ...] = ()
    choices: Choices = field(default_factory=Choices)
    variant: str = ""
    effort: int = 1
    """How much is tried where plain integers have too much noise, 0 to 3: `ladder`."""
    search_s: float = 300.0
    """Seconds after which nothing further is tried, whatever the effort."""
    limits: Limits = field(default_factory=Limits)
    """By what files are judged on the calibration samples, and what they may lose."""
    seeks_layers: bool = True
    """Whether the layers that cost most stay in float where integers alone would fail; False for whoever looks for them by other means."""


@dataclass(frozen=True)
class Made:
    """What an edge says of the file that it wrote."""

    signature: Signature | None = None
    """None where it is the source's."""
    record: Mapping[str, Scalar] = field(default_factory=dict)
    """What it found out itself and did, for the manifest's recipe."""


class Converter(ABC):
    """An edge from one kind of artifact to another. ``distributions`` are the packages whose versions decide the result; ``settings``
    are what decides it besides, written to the manifest; ``choices`` are the values that a recipe may choose among, by the names of
    `Choices`, each with the default first: those that the libraries and the engines of this format were seen to take. ``keeps_float``
    says that single layers can stay in float; ``fallback`` that it is tried only where another way does not lead to the right result.
    """

    name: ClassVar[str]
    source: ClassVar[Node]
    target: ClassVar[Node]
    extra: ClassVar[str]
    distributions: ClassVar[tuple[str, ...]]
    settings: ClassVar[Mapping[str, Scalar]] = {}
    choices: ClassVar[Mapping[str, tuple[Scalar, ...]]] = {}
    keeps_float: ClassVar[bool] = False
    uses_samples: ClassVar[bool] = False
    """Whether calibration samples, where there are some, decide the result though the precision needs none."""
    fallback: ClassVar[bool] = False

    def recipe_record(self, recipe: Recipe) -> dict[str, Scalar]:
        """What decides this edge's result besides source and calibration, as written to the manifest and hashed into the cache key: the
        settings, and the choices that are not the default.

        A converter that reads ``recipe.batch_sizes`` or ``recipe.keep_float`` adds what it reads, and nothing else, so that what it
        ignores does not change its cache key.
        """
        given = recipe.choices.given()
        return {**self.settings, **{name: value for name, value in given.items() if value != self.choices.get(name, (None,))[0]}}

    def choice(self, recipe: Recipe, name: str) -> Scalar:
        """What the recipe chooses, or the default."""
        return recipe.choices.given().get(name, self.choices[name][0])

    def check_choices(self, choices: Choices, keep_float: Sequence[str] = ()) -> None:
        """Raise `InputError`, which says what this edge can, unless it can make those choices."""
        wrong = [
            f"{name} = {_literal(value)}"
            for name, value in choices.given().items()
            if name != "percentile" and value not in self.choices.get(name, ())  # A number of its own, which belongs to `ranges`.
        ]
        wrong += ["keep_float"] if keep_float and not self.keeps_float else []
        if wrong:
            able = [f"{name} = {' or '.join(map(_literal, values))}" for name, values in self.choices.items()]
            able += ["keep_float"] if self.keeps_float else []
            raise InputError(f"{self.target} cannot do {', '.join(wrong)}", expected="; ".join(able) or "no choices")

    def samples_of(self, source: Artifact, recipe: Recipe) -> Samples | None:
        """The samples that an edge looks at which needs none: those of the calibration, where they are measured and fit."""
        if not self.uses_samples or recipe.calibration is None or recipe.calibration.drawn:
            return None
        try:
            return recipe.calibration.fit(source.manifest.signature)
        except DataError:
            return None

    @final
    @property
    def is_calibrated(self) -> bool:
        """Whether it needs samples that fix ranges: what is in integers already has them."""
        return self.target.precision.is_calibrated and not self.source.precision.is_quantized

    def versions(self) -> dict[str, str]:
        """The versions of the packages that do the work, read without importing them."""
        return {name: version for name in self.distributions if (version := version_of(name))}

    @final
    def convert(self, source: Artifact, out: Path, recipe: Recipe) -> Artifact:
        """Convert `source` into the folder `out`, which appears whole or not at all.

        Raises:
            InputError: the source is of another kind, the recipe chooses what this edge cannot do, or calibration samples are missing or
                do not fit.
            MissingDependencyError: the extra is not installed.
            ConversionError: the library refused, or the result is not what was asked for.
        """
        calibration = self.check(source, recipe)
        with new_folder(out) as work:
            target = work / self.target.format.file_name
            try:
                with needs(self.extra):
                    made = self._convert(source, target, recipe)
                    if not isinstance(made, Made):
                        made = Made(made)
                    operators = find_format(self.target.format).operators(target)
            except (ToolkitError, OSError, MemoryError):
                raise
            except Exception as error:
                raise ConversionError(f"{self.name} failed: {words_of(error, lines=2)}") from error
            if self.target.precision.is_quantized and operators.quantized == 0:
                raise ConversionError(
                    f"{self.name} quantized nothing", expected="integer operators in the file", got=f"{operators.total} float operators"
                )
            manifest = Manifest(
                model=source.manifest.model,
                format=self.target.format,
                precision=self.target.precision,
                signature=made.signature or source.manifest.signature,
                files={file.relative_to(work).as_posix(): sha256_of(file) for file in sorted(work.rglob("*")) if file.is_file()},
                edge=self.name,
                variant=recipe.variant,
                parent=source.manifest.content_sha256,
                root=source.manifest.root or source.manifest.content_sha256,
                recipe=self.recipe_record(recipe) | dict(made.record),
                versions=self.versions(),
                calibration=calibration,
                preprocessing=source.manifest.preprocessing,
                labels=source.manifest.labels,
                task=source.manifest.task,
                data=source.manifest.data,
                details=source.manifest.details,
                operators=operators,
            )
            (work / MANIFEST).write_bytes(manifest.to_json())
        return Artifact.load(out)

    @abstractmethod
    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | Made | None:
        """Write the model file `target` (and files beside it); return a signature only if it differs from the source's, or what there is
        to say of the file.
        """

    @final
    def check(self, source: Artifact, recipe: Recipe) -> CalibrationRecord | None:
        """Whether this edge can start from `source` with `recipe`, without a framework; the record of the calibration if there is one.

        Raises:
            InputError: the source is of another kind, or the recipe chooses what this edge cannot do.
            DataError: calibration samples are missing or do not fit the source's inputs.
        """
        kind = Node(source.manifest.format, source.manifest.precision)
        if kind != self.source:
            raise InputError(f"converter '{self.name}'", expected=str(self.source), got=str(kind))
        self.check_choices(recipe.choices, recipe.keep_float)
        if not self.is_calibrated:
            return None
        if recipe.calibration is None:
            raise DataError(f"{self.target} needs calibration samples", hint="name a data set: --data digits, or --data samples.npz")
        samples = recipe.calibration.fit(source.manifest.signature)
        return CalibrationRecord(samples.origin, len(samples), samples.sha256)


def _literal(value: Scalar) -> str:
    """As it stands in a recipe file."""
    return str(value).lower() if isinstance(value, bool) else str(value)
