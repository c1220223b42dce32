"""The trainer: schedules, checkpoints, metrics, and the artifact at the end."""

from __future__ import annotations

from .checkpoint import EpochMetrics
from .evaluate import Score, outputs_of, score_of
from .export import export_pt2
from .frechet import Observer, frechet_distance
from .run import Progress
from .trainer import TrainingResult, train
from .weights import load_weights

__all__ = [
    "EpochMetrics",
    "Observer",
    "Progress",
    "Score",
    "TrainingResult",
    "export_pt2",
    "frechet_distance",
    "load_weights",
    "outputs_of",
    "score_of",
    "train",
]
