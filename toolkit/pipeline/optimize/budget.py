"""What an optimized model shall be, and one way to run it with its figures."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from toolkit.core.measurement import Measurement, Scenario


class Budget(StrEnum):
    """What is to be small: the time of a single call, the time of a sample with all threads busy, the size of the files."""

    LATENCY = "latency"
    THROUGHPUT = "throughput"
    SIZE = "size"

    @property
    def scenario(self) -> Scenario:
        """In which this is measured."""
        return Scenario.OFFLINE if self is Budget.THROUGHPUT else Scenario.SINGLE_STREAM

    def cost(self, measurement: Measurement) -> float:
        """The smaller the better."""
        if self is Budget.SIZE:
            return float(measurement.size_bytes)
        if self is Budget.THROUGHPUT:
            return 1 / measurement.samples_per_s.value
        return measurement.latency_ns.value


@dataclass(frozen=True)
class Choice:
    """One way to run a model that passed parity: ``drop`` is what it loses of the task's metric in points, None without a metric;
    ``rounds`` is 0 where the figures are of the heat alone.
    """

    artifact: str
    engine: str
    threads: int
    latency_ns: float
    samples_per_s: float
    size_bytes: int
    rounds: int
    drop: float | None
    evidence: str
