"""What a user names of task, metric and what may be lost of it."""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.core import MAX_DROP, POINTS, TaskMetric
from toolkit.core.evidence import scale_of


@dataclass(frozen=True)
class Limits:
    """What a candidate may lose, and of what.

    Args:
        max_drop: in the metric's unit, or in percent of the reference's value.
        relative: which of the two; None for the metric's own way: points of a share, percent of all else.
        task: what the outputs mean; empty for what the artifact's manifest, or the samples, say.
        metric: the name of the one that decides, or a user's own such as ``mymetric.py:dice``; empty for the task's first. A metric that is
            named decides in every reduced precision.
    """

    max_drop: float = MAX_DROP
    relative: bool | None = None
    task: str = ""
    metric: str = ""

    @property
    def text(self) -> str:
        """The options that say it: ``--max-drop 2% --metric map50``; nothing for the default."""
        default = Limits()
        drop = f"--max-drop {self.max_drop:g}{'%' if self.relative else ''}"
        parts = [
            drop if (self.max_drop, self.relative) != (default.max_drop, default.relative) else "",
            f"--task {self.task}" if self.task else "",
            f"--metric {self.metric}" if self.metric else "",
        ]
        return " ".join(part for part in parts if part)

    def allowed(self, task: TaskMetric | None) -> float:
        """The largest drop in the unit of a metric that was measured; ``max_drop`` itself without one."""
        return self.max_drop if task is None else self.allowed_of(task.reference, task.unit)

    def allowed_of(self, reference: float, unit: str) -> float:
        """The largest drop, in its unit, of a metric that is so much of the reference."""
        relative = unit != POINTS if self.relative is None else self.relative
        return abs(reference) * scale_of(unit) * self.max_drop / 100 if relative else self.max_drop
