"""The trainer: schedules, checkpoints, metrics, and the artifact at the end."""

from __future__ import annotations

from .checkpoint import EpochMetrics
from .evaluate import Score, outputs_of, score_of
from .export import export_pt2
from .features import feature_extractor
from .frechet import FeatureExtractor, frechet_distance
from .run import EpochProgress
from .trainer import TrainingResult, train
from .weights import load_weights

__all__ = [
    "EpochMetrics",
    "EpochProgress",
    "FeatureExtractor",
    "Score",
    "TrainingResult",
    "export_pt2",
    "feature_extractor",
    "frechet_distance",
    "load_weights",
    "outputs_of",
    "score_of",
    "train",
]
