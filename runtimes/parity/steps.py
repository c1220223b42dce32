"""How far a stream drifts from that of its reference, step by step: each feeds back its own states."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from toolkit.core import Artifact, ParityReport, Samples
from toolkit.core.decibels import LIMIT_DB, Powers
from toolkit.tasks import Limits

from .judge import judge
from .observe import Observation, Steps


@dataclass(frozen=True)
class Span:
    """The error in some steps, of the worst output.

    Args:
        first: the first step, from 1 on.
        last: the last one.
        max_abs: the largest difference.
        sqnr_db: the signal-to-quantization-noise ratio in decibels; None where nothing differs.
    """

    first: int
    last: int
    max_abs: float
    sqnr_db: float | None

    @property
    def steps(self) -> str:
        """Which, in words: ``11-100``."""
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


@dataclass(frozen=True)
class StreamReport:
    """A stream beside that of its reference.

    Args:
        report: over all steps, by the rule of the precision; the next states are outputs as any other.
        states: by input the output that is its next value.
        steps: how many.
        spans: steps 1, 2 to 10, 11 to 100 and so on.
    """

    report: ParityReport
    states: dict[str, str]
    steps: int
    spans: tuple[Span, ...]


def compare_streams(artifact: Artifact, candidate: Observation, reference: Observation, samples: Samples, *, steps: Steps) -> StreamReport:
    """Two observations over the same `steps`; the targets of samples say nothing of steps that go round in them, so decibels decide."""
    count = max((len(array) for array in candidate.samples.values()), default=steps.count)
    fed = replace(samples, targets=None).rows(np.arange(count) % len(samples))
    report = judge(artifact, candidate, reference, fed, limits=Limits())
    shared = [name for name, array in candidate.samples.items() if array.shape == reference.samples.get(name, np.zeros(0)).shape]
    spans = () if candidate.problem or reference.problem else tuple(_spans(candidate, reference, shared, steps.count))
    return StreamReport(report, steps.states, steps.count, spans)


def _spans(candidate: Observation, reference: Observation, names: list[str], steps: int) -> Iterator[Span]:
    first, last = 0, 1
    while first < steps:
        last = min(last, steps)
        pairs = []
        for name in names:
            rows = len(candidate.samples[name]) // steps
            part = slice(first * rows, last * rows)
            pairs.append((reference.samples[name][part].astype(np.float64), candidate.samples[name][part].astype(np.float64)))
        ratio = min((Powers.of([one], [other]).ratio_db() for one, other in pairs), default=LIMIT_DB)
        largest = max((float(np.abs(one - other).max(initial=0.0)) for one, other in pairs), default=0.0)
        yield Span(first + 1, last, largest, None if ratio >= LIMIT_DB else ratio)
        first, last = last, last * 10
