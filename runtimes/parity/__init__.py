"""Comparing sessions: tolerances, ratios, the metric of the task."""

from __future__ import annotations

from .criterion import Criterion, Limits
from .judge import judge
from .observe import Observation, observe
from .probes import BATCH_SIZES, batch_sizes, drawn, probe

__all__ = ["BATCH_SIZES", "Criterion", "Limits", "Observation", "batch_sizes", "drawn", "judge", "observe", "probe"]
