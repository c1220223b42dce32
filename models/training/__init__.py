"""The trainer: schedules, checkpoints, metrics, and the artifact at the end."""

from __future__ import annotations

from .baseline import baseline_accuracy
from .checkpoint import EpochMetrics
from .evaluate import Score, logits_of, score_of
from .export import export_pt2
from .trainer import Progress, TrainingResult, train
from .weights import load_weights

__all__ = [
    "EpochMetrics",
    "Progress",
    "Score",
    "TrainingResult",
    "baseline_accuracy",
    "export_pt2",
    "load_weights",
    "logits_of",
    "score_of",
    "train",
]
