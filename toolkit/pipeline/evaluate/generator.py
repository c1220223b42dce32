"""How good a generator is: how far what it samples is from real images, and what it looks like."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import Artifact, Samples
from toolkit.models.data import find_data
from toolkit.models.training import feature_extractor, frechet_distance

from .base import Answers, Evaluation, answers_of, labels_of, pixels_of
from .drawing import Picture, TileRow, tile_of, tiles

_ROWS, _COLUMNS = 8, 10


@dataclass(frozen=True)
class GeneratorFigures:
    """``frechet_distance`` is between the features that the toolkit's own classifier sees in the sampled images and in as many real
    ones of the test split, the smaller the better; ``between_real`` the same between two halves of the real ones, which no
    generator can be expected to beat; None where the data are unknown.
    """

    frechet_distance: float | None
    between_real: float | None


def evaluate_generator(artifact: Artifact, samples: Samples, *, folder: Path | None = None, **options: Any) -> Evaluation:
    """Evaluate a generator over noise; `folder` holds the real images, the other options are those of `answers_of`."""
    answers = answers_of(artifact, samples, **options)
    images = answers.outputs[artifact.manifest.signature.outputs[0].name]
    figures = _figures(artifact, images, folder)
    facts = []
    if figures.frechet_distance is not None:
        facts = [
            ("Fréchet distance, lower is better", f"{figures.frechet_distance:.4g}, n={len(images):,}"),
            ("between two sets of real images", f"{figures.between_real:.4g}"),
        ]
    return Evaluation(answers.run, figures, tuple(facts), (), lambda: _pictures(answers, images, artifact))


def _figures(artifact: Artifact, images: np.ndarray, folder: Path | None) -> GeneratorFigures:
    if not artifact.manifest.data:
        return GeneratorFigures(None, None)
    data = find_data(artifact.manifest.data)
    extractor = feature_extractor(data, folder)
    real = extractor.features(data.load("test", folder).inputs["image"])
    real = real[np.random.default_rng(0).permutation(len(real))]
    distance = frechet_distance(real[: len(images)], extractor.features(images))
    half = len(real) // 2
    return GeneratorFigures(distance, frechet_distance(real[:half], real[half:]))


def _pictures(answers: Answers, images: np.ndarray, artifact: Artifact) -> list[Picture]:
    shown = pixels_of(images, artifact)
    if shown is None:
        return []
    labels = answers.samples.inputs.get("label")
    names = labels_of(artifact)
    if labels is None or not names:
        grid = shown[: _ROWS * _COLUMNS]
        rows = [_row("", grid[start : start + _COLUMNS]) for start in range(0, len(grid), _COLUMNS)]
        return [tiles("sampled", "What it samples from noise, the first ones, not chosen.", rows)]
    present = [number for number in range(len(names)) if np.any(labels == number)]
    rows = [_row(names[number], shown[labels == number][:_COLUMNS]) for number in present]
    return [tiles("sampled", "What it samples from noise for each class, the first ones, not chosen.", rows)]


def _row(name: str, images: np.ndarray) -> TileRow:
    return TileRow(name, tuple(tile_of(image) for image in images))
