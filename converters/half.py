"""What of a network stays in float32 where the rest is float16: found on samples, in all formats alike."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toolkit.core import Samples

from .base import Made
from .noise import REFUSED_DB, Exact, noisiest_first, runs_of
from .tried import tried

ENOUGH_DB = 45.0
"""From here on float16 is as good as it gets; parity asks for 40 dB."""
SAMPLES = 16
"""So many samples tell it."""
_RUNS = 10


@dataclass(frozen=True)
class Halves:
    """How a format writes and runs float16.

    Args:
        names: the operations that can be in float16, in order.
        always: those of them that must not, by their weights or values alone.
        write: a file with these operations in float32.
        outputs: what a file gives on the samples, batch by batch.
        exact: what the float32 file gives.
    """

    names: Sequence[str]
    always: frozenset[str]
    write: Callable[[Path, Collection[str]], None]
    outputs: Callable[[Path], Iterator[Mapping[str, np.ndarray]]]
    exact: Exact


def few(samples: Samples) -> Samples:
    """The first of the samples, which are enough to see what leaves float16's range."""
    return samples.rows(slice(SAMPLES))


def write_half(target: Path, halves: Halves) -> Made:
    """Write `target` with as much in float16 as keeps the outputs.

    Operations are cut into runs, each is tried alone in float16, and as many of the noisiest stay in float32 as are needed: 1, 2, 4 ...
    """
    began = time.perf_counter()
    halves.write(target, halves.always)
    best = _ratio(halves, target)
    rest = [name for name in halves.names if name not in halves.always]
    kept, files = halves.always, 1
    runs = runs_of(rest, _RUNS)
    if best < ENOUGH_DB and len(runs) > 1:
        with tempfile.TemporaryDirectory(dir=target.parent) as work:
            file = Path(work) / target.name
            alone = []
            for run in runs:
                halves.write(file, frozenset(halves.names) - frozenset(run))
                alone.append(_ratio(halves, file))
            order = noisiest_first(runs, alone)
            files += len(runs)
            count = 1
            while best < ENOUGH_DB and count < len(order):
                names = halves.always | {name for run in order[:count] for name in run}
                halves.write(file, names)
                files += 1
                if (ratio := _ratio(halves, file)) > best:
                    best, kept = ratio, names
                    for part in file.parent.iterdir():
                        part.replace(target.parent / part.name)
                count *= 2
    return Made(record=tried(kept, files, time.perf_counter() - began) if kept else {})


def _ratio(halves: Halves, file: Path) -> float:
    """The worst output's ratio in decibels; -200 where the engine refuses the file."""
    try:
        return min(halves.exact.ratios(halves.outputs(file)).values())
    except Exception:  # Whatever an engine raises: that is no file to keep.
        logging.getLogger(__name__).warning("refused with parts in float32", exc_info=True)
        return REFUSED_DB


LARGEST = float(np.finfo(np.float16).max)


def leaves_range(values: np.ndarray) -> bool:
    """Whether weights are beyond float16's largest number, an infinite mask aside."""
    real = np.issubdtype(values.dtype, np.floating)
    return bool(real and values.size and np.abs(np.where(np.isfinite(values), values, 0)).max() > LARGEST)
