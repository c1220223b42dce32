"""What is tried where integers in every layer have too much noise: one ladder for all static quantizers, the cheapest rungs first.

A rung is tried only where the best file so far is not good enough on the calibration samples, and a format without its choice skips it.
"""

from __future__ import annotations

import functools
import logging
import math
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from toolkit.core import Scalar
from toolkit.formats import Layer

from .ends import Graph, float_ends
from .noise import ENOUGH_DB, left_db, noisiest_first, runs_of
from .quality import Quality
from .recipes import Choices, Ranges
from .tried import tried

DEFAULT_EFFORT = 1
SECONDS = (0.0, 90.0, 300.0, 3000.0)
"""After so many seconds no further file is begun, by effort."""
_SEEKS_LAYERS, _SEEKS_ANY = 3, 5
"""So many times as long is looked for the layers that make a file fail, and for any that may be in integers at all."""
_PERCENTILE = 99.99
_LEFT_DB = (15.0, 20.0, 25.0, 30.0)
"""The ratios at which the most sensitive layers in float are looked for."""


@dataclass(frozen=True)
class Setting:
    """One way to make a quantized file: the choices of a recipe, and the names of the operations that stay in float."""

    choices: Choices = field(default_factory=Choices)
    keep_float: frozenset[str] = frozenset()

    def but(self, **choices: Scalar) -> Setting:
        """With other choices."""
        return Setting(msgspec.convert(self.choices.given() | choices, Choices), self.keep_float)

    def floats(self, names: Collection[str]) -> Setting:
        """With these in float too."""
        return Setting(self.choices, self.keep_float | frozenset(names))


@dataclass(frozen=True)
class Tried:
    """A file that was made and run."""

    file: Path
    setting: Setting
    quality: Quality


class Trials:
    """The files that were made of one float model so far, and the best of them.

    Args:
        write: makes a file by a setting; raises what the library raises.
        judge: runs a file on the calibration samples.
        layers: the model's layers that can be in integers.
        graph: its operations.
        choices: the values that the format takes, by the names of `Choices`, each with the default first.
        applies: whether a choice changes anything in this model.
        fixed: the choices that the user made.
        fragile: kinds of layers that round badly.
        groups: the outputs whose parts have ranges of their own.
        alone_db: the ratio in decibels with each group of layers alone in integers.
        may_float: whether layers may stay in float.
    """

    def __init__(
        self,
        write: Callable[[Setting], Path],
        judge: Callable[[Path], Quality],
        *,
        layers: Collection[Layer],
        graph: Callable[[], Graph],
        choices: Mapping[str, tuple[Scalar, ...]],
        applies: Callable[[str], bool],
        fixed: Collection[str],
        fragile: Collection[str],
        groups: Collection[str],
        alone_db: Callable[[list[list[str]]], list[float]],
        may_float: bool = True,
    ) -> None:
        self.write, self._judge = write, judge
        self.layers, self.graph, self.fragile, self.groups, self.alone_db = layers, graph, fragile, groups, alone_db
        self._choices, self._applies, self._fixed = choices, applies, fixed
        self.may_float = may_float
        self._seen: dict[Setting, Quality | None] = {}
        self.began = time.monotonic()
        self.limit_s = math.inf
        self._longest_s = 0.0
        self.best: Tried

    @property
    def count(self) -> int:
        """How many files were begun."""
        return len(self._seen)

    @property
    def seconds(self) -> float:
        """How long that took."""
        return time.monotonic() - self.began

    @property
    def affordable(self) -> int:
        """How many files like the slowest so far can be made and run before ``limit_s`` seconds are over, from the beginning on."""
        return int(min((self.limit_s - self.seconds) / max(self._longest_s, 1e-3), 1e6))

    def begin(self, setting: Setting) -> None:
        """Make the first file; raises what the library raises."""
        self.best = self._made(setting)

    def quality_of(self, setting: Setting) -> Quality | None:
        """Of a file that was tried; None where it could not be made."""
        return self._seen.get(setting)

    def _made(self, setting: Setting) -> Tried:
        start = time.monotonic()
        self._seen[setting] = None
        file = self.write(setting)
        tried = Tried(file, setting, self._judge(file))
        self._seen[setting] = tried.quality
        self._longest_s = max(self._longest_s, time.monotonic() - start)
        return tried

    def attempt(self, setting: Setting) -> None:
        """Make another file, which is the best one from now on if it is better."""
        products = {layer.name for layer in self.layers if layer.multiply_adds} or {layer.name for layer in self.layers}
        if setting in self._seen or products <= setting.keep_float:  # Nothing would be left in integers: that is the float file.
            return
        if setting.keep_float and not self.may_float:
            return
        try:
            tried = self._made(setting)
        except Exception as error:  # Whatever the library raises: there is a file, and this was to be a better one.
            logging.getLogger(__name__).warning("not made with %s: %s", setting, error)
            return
        if tried.quality.beats(self.best.quality):
            self.best = tried

    def others(self, name: str) -> Iterator[Scalar]:
        """The values of a choice that the best file does not have, if it changes anything here."""
        values = self._choices.get(name, ())
        if len(values) > 1 and name not in self._fixed and self._applies(name):
            now = self.best.setting.choices.given().get(name, values[0])
            yield from (value for value in values if value != now)

    def noisy(self) -> list[str]:
        """The outputs with too much noise."""
        return [name for name, ratio in self.best.quality.ratios.items() if ratio < ENOUGH_DB]


@dataclass(frozen=True)
class Rung:
    """Something that is tried: settings that are changes of the best one, from an effort on. With ``failing`` only where the best one would
    fail, and so many times as long.
    """

    effort: int
    settings: Callable[[Trials], Iterable[Setting]]
    failing: int = 0


def _ends_of_parts(trials: Trials) -> Iterator[Setting]:
    """One range over boxes in pixels and probabilities leaves the probabilities a single value."""
    noisy = [name for name in trials.noisy() if name in trials.groups]
    yield from _ends(trials, noisy)


def _ends_of_all(trials: Trials) -> Iterator[Setting]:
    """Whole heads."""
    yield from _ends(trials, trials.noisy())


def _ends(trials: Trials, outputs: list[str]) -> Iterator[Setting]:
    layers = {layer.name for layer in trials.layers if layer.multiply_adds}
    base = trials.best.setting
    for names in float_ends(trials.graph(), outputs, layers=layers) if outputs else ():
        yield base.floats(names)


def _other(name: str, *values: Scalar) -> Callable[[Trials], Iterator[Setting]]:
    def settings(trials: Trials) -> Iterator[Setting]:
        for value in trials.others(name):
            if value in values:
                yield trials.best.setting.but(**{name: value})

    return settings


def _ranges(*wanted: Ranges) -> Callable[[Trials], Iterator[Setting]]:
    def settings(trials: Trials) -> Iterator[Setting]:
        for value in trials.others("ranges"):
            if value in wanted:
                given = {name: each for name, each in trials.best.setting.choices.given().items() if name != "percentile"}
                given |= {"ranges": value} | ({"percentile": _PERCENTILE} if value == Ranges.PERCENTILE else {})
                yield Setting(msgspec.convert(given, Choices), trials.best.setting.keep_float)

    return settings


def _fragile(trials: Trials) -> Iterator[Setting]:
    """What rounds badly: sums with a mask, squashing functions."""
    if names := [layer.name for layer in trials.layers if layer.kind in trials.fragile]:
        yield trials.best.setting.floats(names)


def _sensitive(most: int) -> Callable[[Trials], Iterator[Setting]]:
    """The most sensitive of at most so many runs of layers: as many as should leave 15 dB if their noise adds up, then 20, 25 and 30 dB,
    and all but one. Each run costs a file: where time is short there are fewer, and half of it is left for what they lead to.
    """

    def settings(trials: Trials) -> Iterator[Setting]:
        layers = [layer.name for layer in trials.layers if layer.name not in trials.best.setting.keep_float]
        runs = runs_of(layers, max(1, min(most, trials.affordable // 2)))
        if len(runs) < 2 or not trials.may_float:
            return
        alone = trials.alone_db(runs)
        order, left = noisiest_first(runs, alone), left_db(alone)
        base = trials.best.setting
        counts = (next((count for count, ratio in enumerate(left) if ratio >= wanted), len(left)) for wanted in _LEFT_DB)
        for count in sorted({min(max(count, 1), len(order) - 1) for count in (*counts, len(order))}):
            yield base.floats([name for run in order[:count] for name in run])

    return settings


def _halves(trials: Trials) -> Iterator[Setting]:
    """The better half of the layers that are still in integers, and of that the better half, down to one layer."""
    base = trials.best.setting
    left = [layer.name for layer in trials.layers if layer.name not in base.keep_float]
    while len(left) > 1:
        middle = len(left) // 2
        halves = {base.floats(left[middle:]): left[:middle], base.floats(left[:middle]): left[middle:]}
        yield from halves
        known = [(each, found) for each in halves if (found := trials.quality_of(each))]
        if not known:
            return
        base = functools.reduce(lambda one, other: other if other[1].beats(one[1]) else one, known)[0]
        left = halves[base]


LADDER = (
    Rung(1, _ends_of_parts),
    Rung(1, _ranges(Ranges.MINMAX, Ranges.PERCENTILE)),
    Rung(1, _other("transformer", True)),
    Rung(1, _fragile),
    Rung(1, _ends_of_all),
    Rung(1, _other("reduce_range", False)),
    Rung(1, _sensitive(8), failing=_SEEKS_LAYERS),
    Rung(1, _sensitive(32), failing=_SEEKS_LAYERS),
    Rung(1, _halves, failing=_SEEKS_ANY),
    Rung(2, _ranges(Ranges.ENTROPY)),
    Rung(2, _other("accurate_bias", True)),
    Rung(2, _other("smooth_quant", True)),
    Rung(2, _other("weight_ranges", "mse", "octav")),
    Rung(2, _sensitive(8)),
    Rung(3, _sensitive(32)),
)


def climb(trials: Trials, *, effort: int, seconds: float, most: float = math.inf, seeks_layers: bool = True) -> None:
    """Try the rungs of an `effort` until a file is good enough or the `seconds` are over, at most so many for what would fail; the file
    that is begun last may end later. Without `seeks_layers` what would fail gets no rungs of its own.
    """
    for rung in LADDER:
        if rung.effort <= effort and (seeks_layers or not rung.failing):
            limit = min(most, seconds * (rung.failing or 1))
            for setting in _while_needed(trials, rung, limit):
                trials.attempt(setting)


def _while_needed(trials: Trials, rung: Rung, seconds: float) -> Iterator[Setting]:
    def over() -> bool:
        now = trials.best.quality
        return trials.seconds > seconds or (not now.fails if rung.failing else now.enough)

    if over():
        return
    trials.limit_s = seconds
    for setting in rung.settings(trials):
        yield setting
        if over():
            return


def record(trials: Trials, given: Choices) -> dict[str, Scalar]:
    """What was found, for a manifest: choices beside those `given`, operations left in float, how many files that took and how long."""
    if trials.count < 2:
        return {}
    best = trials.best.setting
    chosen = {name: value for name, value in best.choices.given().items() if value != given.given().get(name)}
    integers = sum(layer.multiply_adds for layer in trials.layers if layer.name not in best.keep_float)
    total = sum(layer.multiply_adds for layer in trials.layers)
    share = integers / total if best.keep_float and total else None
    return {**chosen, **tried(best.keep_float, trials.count, trials.seconds, share)}
