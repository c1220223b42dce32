"""Comparing sessions: tolerances, ratios, the metric of the task."""

from __future__ import annotations

from .criterion import Criterion
from .judge import judge
from .observe import Observation, Steps, observe
from .pool import Part, pooled, whole_batches
from .probes import BATCH_SIZES, batch_sizes, drawn, probe
from .steps import Span, StreamReport, compare_streams

__all__ = [
    "BATCH_SIZES",
    "Criterion",
    "Observation",
    "Part",
    "Span",
    "Steps",
    "StreamReport",
    "batch_sizes",
    "compare_streams",
    "drawn",
    "judge",
    "observe",
    "pooled",
    "probe",
    "whole_batches",
]
