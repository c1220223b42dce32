"""Comparing sessions: tolerances, ratios, the metric of the task."""

from __future__ import annotations

from .criterion import Criterion
from .judge import judge
from .observe import Observation, observe
from .pool import Part, pooled, whole_batches
from .probes import BATCH_SIZES, batch_sizes, drawn, probe

__all__ = [
    "BATCH_SIZES",
    "Criterion",
    "Observation",
    "Part",
    "batch_sizes",
    "drawn",
    "judge",
    "observe",
    "pooled",
    "probe",
    "whole_batches",
]
