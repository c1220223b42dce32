"""What a gate found, and its verdict."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import msgspec

from toolkit.core import POINTS, Interval, Machine, Verdict, points
from toolkit.core.evidence import value_text

from .. import text

SCHEMA = 1
NANOSECONDS, BYTES = "ns", "B"


@dataclass(frozen=True)
class Change:
    """How one figure of an artifact changed.

    Args:
        what: latency, memory, size, or the name of the metric; ``files`` where nothing needed to be measured.
        verdict: passed within the limit, failed beyond it, undecided where that cannot be told.
        reason: why, in a sentence.
        old: of the baseline, in ``unit``; None where it is not known.
        new: of the new artifact.
        worse: by how much that is worse, with its 95 % interval where it has one: in percent of ``old``, and of a metric in its unit.
        limit: what it may be worse by, in the same unit.
        unit: ``ns``, ``B``, or that of the metric.
    """

    what: str
    verdict: Verdict
    reason: str
    old: float | None = None
    new: float | None = None
    worse: Interval | None = None
    limit: float | None = None
    unit: str = ""

    @property
    def _is_metric(self) -> bool:
        return self.unit not in {NANOSECONDS, BYTES}

    def value(self, number: float | None) -> str:
        """A figure with its unit, as it stands in a table."""
        if number is None:
            return text.NONE
        if self._is_metric:
            return value_text(number, self.unit)
        return text.duration(number) if self.unit == NANOSECONDS else text.size(number)

    @property
    def worse_text(self) -> str:
        """``+1.2 [-0.4, +2.9] %``, ``+0.3 [-0.2, +0.8] points``: above zero is worse."""
        if self.worse is None:
            return text.NONE
        worse, unit = self.worse, ("points" if self.unit == POINTS else self.unit) if self._is_metric else "%"
        if worse.low == worse.high:
            return f"{worse.value:+.3g} {unit}".rstrip()
        return f"{worse.value:+.3g} [{worse.low:+.3g}, {worse.high:+.3g}] {unit}".rstrip()

    @property
    def limit_text(self) -> str:
        """``5 %``, ``1 point``."""
        if self.limit is None:
            return text.NONE
        if not self._is_metric:
            return f"{self.limit:g} %"
        return points(self.limit) if self.unit == POINTS else f"{self.limit:.3g} {self.unit}".rstrip()


@dataclass(frozen=True)
class Row:
    """One artifact in one engine: its changes, the worst of which counts."""

    artifact: str
    engine: str
    changes: tuple[Change, ...]

    @property
    def verdict(self) -> Verdict:
        """Failed before undecided before passed."""
        return Verdict.worst(change.verdict for change in self.changes) or Verdict.UNDECIDED


@dataclass(frozen=True)
class GateReport:
    """A new model beside the one before it, measured by turns on one machine.

    Args:
        model: its name.
        new: what the user named.
        baseline: what it was compared with.
        machine: where.
        started: ISO 8601 in UTC.
        seconds: how long it took.
        load_before: the one-minute load average at the start.
        load_after: at the end.
        pairs: how often each artifact that was measured longest was measured beside its baseline.
        samples: what they are called.
        count: how many samples the metric is of.
        commit: the revision of the new model; empty where nobody said it.
        rows: an artifact in an engine each.
        schema: history: 1, the first.
    """

    model: str
    new: str
    baseline: str
    machine: Machine
    started: str
    seconds: float
    load_before: float
    load_after: float
    pairs: int
    samples: str
    count: int
    commit: str
    rows: tuple[Row, ...]
    schema: int = SCHEMA

    @cached_property
    def verdict(self) -> Verdict:
        """Failed before undecided before passed."""
        return Verdict.worst(row.verdict for row in self.rows) or Verdict.UNDECIDED

    @property
    def text(self) -> str:
        """The verdict in a line, with what failed or is undecided."""
        found = [f"{row.artifact} {change.what}" for row in self.rows for change in row.changes if change.verdict is self.verdict]
        return f"{self.verdict}: {', '.join(found)}" if self.verdict is not Verdict.PASSED else f"{self.verdict}"

    def to_json(self) -> bytes:
        """The report as JSON, with its verdict."""
        return msgspec.json.encode(msgspec.to_builtins(self) | {"verdict": self.verdict}) + b"\n"
