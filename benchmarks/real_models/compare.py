"""A converted file beside its network's own engine, in a process of its own:
``python -m benchmarks.real_models.compare NAME FILE OTHER KEPT``.

OTHER is a folder of the toolkit or a bare file of another tool; KEPT is a `HeldOut`. Prints one line of JSON, a `Compared`.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

import toolkit
from toolkit.core import write_arrays

from .base import Arrays, Call, Network, find_network
from .engines import THREADS, by_place, opened

_ROUNDS = 7


class Compared(msgspec.Struct, frozen=True):
    """What one artifact answers on the held-out samples.

    Attributes:
        alike: the mean share of decisions that are alike, in percent.
        low: the least of its 95 % interval, by a bootstrap over samples; itself where all are alike.
        error: the largest difference at an output, over the largest absolute value of that output.
        samples: how many.
        times: how long a call takes, over the network's own engine in the same minutes: median, least and most of the rounds.
        engine: what ran the artifact.
    """

    alike: float
    low: float
    error: float
    samples: int
    times: tuple[float, float, float]
    engine: str


@dataclass(frozen=True)
class HeldOut:
    """Samples that no conversion sees, and what the network's own engine gives for each."""

    samples: Arrays
    expected: list[dict[str, np.ndarray]]

    @classmethod
    def of(cls, network: Network, file: Path) -> HeldOut:
        """By one run of the network's own engine."""
        samples = network.samples(1, network.held_out)
        return cls(samples, network.run(opened(file), samples))

    def save(self, path: Path) -> None:
        """So that it is computed once for all artifacts of a network."""
        outputs = {f"{place:06}/{name}": array for place, each in enumerate(self.expected) for name, array in each.items()}
        write_arrays(path, {f"in/{name}": array for name, array in self.samples.items()} | outputs)

    @classmethod
    def load(cls, path: Path) -> HeldOut:
        """What `save` has kept."""
        samples: dict[str, np.ndarray] = {}
        expected: dict[str, dict[str, np.ndarray]] = {}
        with np.load(path) as arrays:
            for key in arrays.files:
                place, _, name = key.partition("/")
                (samples if place == "in" else expected.setdefault(place, {}))[name] = arrays[key]
        return cls(samples, [expected[place] for place in sorted(expected)])


def compare(network: Network, file: Path, call: Call, engine: str, *, kept: HeldOut, seconds: float = 0.15) -> Compared:
    """`call` on the held-out samples, one call a sample, beside the network's own engine, and then by turns, each
    for so many seconds a round, for their times.
    """
    samples, expected = kept.samples, kept.expected
    own, actual = opened(file), network.run(call, samples)
    shares = np.array([_alike(network, mine, theirs) for mine, theirs in zip(actual, expected, strict=True)])
    errors = [_error(mine, theirs) for mine, theirs in zip(actual, expected, strict=True)]
    times = _times(lambda one: network.run(own, one), lambda one: network.run(call, one), {k: v[:1] for k, v in samples.items()}, seconds)
    return Compared(100 * float(shares.mean()), 100 * _low(shares), max(errors), len(shares), times, engine)


def _of_artifact(network: Network, file: Path, folder: Path, kept: HeldOut) -> Compared:
    with toolkit.load(folder, threads=THREADS, unverified=True) as session:
        wanted = {spec.name for spec in session.signature.inputs}

        def call(inputs: Arrays) -> dict[str, np.ndarray]:
            return dict(session.run({name: array for name, array in inputs.items() if name in wanted}))

        return compare(network, file, call, session.actual.engine, kept=kept)


def _of_raw(network: Network, file: Path, raw: Path, kept: HeldOut) -> Compared:
    call = opened(raw)
    named = by_place(call, raw) if raw.suffix == ".tflite" and file.suffix != ".tflite" else call
    return compare(network, file, named, raw.suffix, kept=kept)


def _alike(network: Network, mine: Arrays, theirs: Arrays) -> float:
    mine = _named(mine, theirs)
    rows = dict(mine) if network.whole else {name: array[0] for name, array in mine.items()}
    return network.metric(rows if len(rows) > 1 else next(iter(rows.values())), network.decide(theirs))


def _error(mine: Arrays, theirs: Arrays) -> float:
    """Infinite where a shape differs or a value is no number."""
    worst, mine = 0.0, _named(mine, theirs)
    for name, array in theirs.items():
        found = mine[name]
        if found.shape != array.shape or not np.isfinite(found).all():
            return float("inf")
        worst = max(worst, float(np.abs(found.astype(np.float64) - array).max() / max(1e-9, np.abs(array).max())))
    return worst


def _named(mine: Arrays, theirs: Arrays) -> Arrays:
    """By the network's own names, in order where others were given."""
    return mine if set(theirs) <= set(mine) else dict(zip(theirs, mine.values(), strict=True))


def _low(shares: np.ndarray) -> float:
    """The 2.5th percentile of the mean over 2,000 draws of samples (Efron 1979)."""
    random = np.random.default_rng(0)
    return float(np.percentile(shares[random.integers(len(shares), size=(2000, len(shares)))].mean(1), 2.5))


def _times(
    own: Callable[[Arrays], object], other: Callable[[Arrays], object], sample: Arrays, seconds: float
) -> tuple[float, float, float]:
    def mean_s(call: Callable[[Arrays], object]) -> float:
        calls, start = 0, time.perf_counter()
        while not calls or time.perf_counter() < start + seconds:
            call(sample)
            calls += 1
        return (time.perf_counter() - start) / calls

    rounds = [mean_s(other) / mean_s(own) for _ in range(_ROUNDS)]
    return statistics.median(rounds), min(rounds), max(rounds)


if __name__ == "__main__":
    name, file, other, kept = sys.argv[1], *map(Path, sys.argv[2:])
    found = (_of_artifact if other.is_dir() else _of_raw)(find_network(name), file, other, HeldOut.load(kept))
    print(msgspec.json.encode(found).decode())
