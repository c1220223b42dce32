"""Recipes as data: what a network is quantized into and how, read from TOML or JSON.

The built-in ones are the ``.toml`` files of this folder; a new one is a new file. Which format can do which choice is declared by its
converters (`Converter.choices`), and nowhere else.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from toolkit.core import InputError, Precision, Scalar, UnknownNameError, decode_json, decode_toml, read_file

from ..tried import was_tried

_SUFFIX = ".toml"
_DECODERS = {_SUFFIX: decode_toml, ".json": decode_json}
_MOST_BYTES = 2**20
# The last part for Python, where a dollar sign also stands before a line's end.
_NAME = r"^[a-z0-9]{1,20}(-[a-z0-9]{1,20}){0,4}$(?!\n)"


class Ranges(StrEnum):
    """From which of a tensor's values over the calibration samples its integer range is taken.

    MINMAX: the smallest and the largest. MEAN: the means of each sample's smallest and largest. ENTROPY: the range whose histogram loses
    least information in 128 levels by Kullback-Leibler divergence (Migacz, GTC 2017, S7310). PERCENTILE: a share of the values, as much
    cut off above as below.
    """

    MINMAX = "minmax"
    MEAN = "mean"
    ENTROPY = "entropy"
    PERCENTILE = "percentile"


class WeightRanges(StrEnum):
    """From which of a channel's weights its integer range is taken.

    MINMAX: the largest. MSE: as wide as gives the least squared error for a normal distribution. OCTAV: the least squared error of these
    weights (Sakr et al. 2022, equation 6).
    """

    MINMAX = "minmax"
    MSE = "mse"
    OCTAV = "octav"


class Choices(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What may be chosen inside a precision; None is the format's default.

    ``percentile`` is the share in percent of the values inside a PERCENTILE range. ``per_channel`` gives each output channel of a weight
    a scale of its own, else a weight has one. ``symmetric`` puts the zero of activations in the middle of their range. ``group_size`` is
    how many 4-bit weights of an output channel share a scale, 0 for all of them. ``integer_io`` makes integers of the file's own inputs
    and outputs, for devices without floats; a session still takes and gives real numbers. ``reduce_range`` leaves the upper half of the
    8-bit range of weights empty, so that no sum of two products saturates on x86 without VNNI, in any engine. ``weight_ranges`` may cut off
    a channel's largest weights. ``transformer`` leaves what surrounds a softmax in float, ``smooth_quant`` does so too and moves the ranges
    of an activation's channels into the weights behind it (Xiao et al. 2023), ``accurate_bias`` corrects biases one layer after the other.
    """

    ranges: Ranges | None = None
    percentile: Annotated[float, Meta(gt=50, lt=100)] | None = None
    per_channel: bool | None = None
    symmetric: bool | None = None
    group_size: Annotated[int, Meta(ge=0, le=1024)] | None = None
    integer_io: bool | None = None
    reduce_range: bool | None = None
    weight_ranges: WeightRanges | None = None
    transformer: bool | None = None
    smooth_quant: bool | None = None
    accurate_bias: bool | None = None

    def __post_init__(self) -> None:
        """Raise `ValueError` for a percentile without its ranges, or ranges without their percentile."""
        if (self.ranges == Ranges.PERCENTILE) != (self.percentile is not None):
            raise ValueError('`ranges = "percentile"` and `percentile` belong together, such as 99.99')
        if self.percentile is not None and not 50 < self.percentile < 100:  # NaN passes the bounds above.
            raise ValueError(f"`percentile` must be between 50 and 100, got {self.percentile}")

    def given(self) -> dict[str, Scalar]:
        """What is not left to the format, by name."""
        return {name: value for name in Choices.__struct_fields__ if (value := getattr(self, name)) is not None}


CHOSEN = frozenset({"ranges", "percentile", "reduce_range", "transformer", "smooth_quant", "accurate_bias", "weight_ranges"})
"""What a converter chooses itself where a recipe leaves it open."""


def chosen_of(record: Mapping[str, Scalar]) -> Choices:
    """The choices that a manifest's recipe says were made for a file."""
    if not was_tried(record):
        return Choices()
    return msgspec.convert({name: value for name, value in record.items() if name in CHOSEN}, Choices)


class NamedRecipe(Choices, frozen=True):
    """A recipe file. ``name`` begins with the precision, and an artifact that it makes is called ``<format>-<name>``; the precision alone
    names the default, which leaves every choice to the format. ``about`` says in a line what it does. ``keep_float`` are layers that stay
    in float, called as the manifest of an artifact of `toolkit quantize` calls them.
    """

    name: Annotated[str, Meta(pattern=_NAME, description="the precision, and words that follow it: int8-entropy")]
    precision: Precision
    about: Annotated[str, Meta(max_length=200)] = ""
    keep_float: Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=1000)], ...], Meta(max_length=10_000)] = ()

    def __post_init__(self) -> None:
        """Raise `ValueError` unless the name says the precision, and something else than a default's when there is a choice."""
        super().__post_init__()
        begins = self.name == self.precision or self.name.startswith(f"{self.precision}-")
        if not begins or Precision.leading(self.name) is not self.precision:
            raise ValueError(f"`name` must begin with the precision, such as '{self.precision}-mine', got '{self.name}'")
        if not self.variant and (self.given() or self.keep_float):
            raise ValueError(f"`name`: '{self.name}' is what the default is called; call this one '{self.name}-mine'")

    @property
    def variant(self) -> str:
        """What the name adds to the precision."""
        return self.name[len(self.precision) + 1 :]

    @property
    def choices(self) -> Choices:
        """The choices alone."""
        return msgspec.convert(self.given(), Choices)


def read_recipe(file: Path) -> NamedRecipe:
    """The recipe in a TOML or JSON file; raises `InputError`."""
    decode = _DECODERS.get(file.suffix.lower())
    if decode is None:
        raise InputError(f"recipe '{file}'", expected=f"a file ending in {' or '.join(_DECODERS)}", got=f"'{file.suffix}'")
    hint = "see: toolkit recipes --schema"
    try:
        return decode(read_file(file, most=_MOST_BYTES), NamedRecipe)
    except OSError as error:
        raise InputError(f"cannot read recipe '{file}'", expected="a file of at most 1 MiB", got=error.strerror or "") from error
    except msgspec.DecodeError as error:
        raise InputError(f"'{file}' is no recipe: {error}", hint=hint) from error


def find_recipe(word: str) -> NamedRecipe:
    """The built-in recipe called `word`, or the one in the file `word`; raises `InputError`."""
    known = builtin_recipes()
    if word in known:
        return known[word]
    if Path(word).suffix.lower() in _DECODERS:
        found = read_recipe(Path(word))
        own = known.get(found.name, found)
        if (own.given(), own.keep_float) != (found.given(), found.keep_float):
            raise InputError(f"'{word}' changes the built-in '{found.name}'", expected="a name of its own", hint=f"'{found.name}-mine'?")
        return found
    raise UnknownNameError("recipe", word, known, hint=f"or a file ending in {' or '.join(_DECODERS)}")


@functools.cache
def builtin_recipes() -> dict[str, NamedRecipe]:
    """Those that come with the toolkit, by name: the default of each precision in the order of `Precision`, followed by its variants."""
    found = [read_recipe(file) for file in Path(__file__).parent.glob(f"*{_SUFFIX}")]
    order = list(Precision)
    return {recipe.name: recipe for recipe in sorted(found, key=lambda each: (order.index(each.precision), each.name))}


def builtin_recipe(name: str) -> NamedRecipe:
    """The one that comes with the toolkit by that name; raises `UnknownNameError`."""
    known = builtin_recipes()
    if name not in known:
        raise UnknownNameError("recipe", name, known)
    return known[name]


def recipe_text(name: str) -> str:
    """A built-in recipe as TOML; raises `UnknownNameError`."""
    return (Path(__file__).parent / f"{builtin_recipe(name).name}{_SUFFIX}").read_text()


def recipe_schema() -> dict[str, Any]:
    """The JSON Schema of a recipe file."""
    return msgspec.json.schema(NamedRecipe)
