"""The feature extractor of a data set: the toolkit's own classifier of it, trained once into the cache."""

from __future__ import annotations

import hashlib
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from toolkit.core import cache_home, needs, sources_sha256

from .frechet import FeatureExtractor
from .learner import reproducible, told_in_one_line
from .run import TrainingRun

if TYPE_CHECKING:
    from toolkit.models.data import DataSet

CLASSIFIER = "cnn"


def feature_extractor(data: DataSet, folder: Path | None = None) -> FeatureExtractor:
    """Trained by its own recipe the first time, then out of the cache, where its checkpoint says of what data and recipe it is.

    `folder` is where the user keeps the data. Raises as `train` does.
    """
    from toolkit.models import find_model

    with needs("train"):
        from torch import nn
    model = find_model(CLASSIFIER)
    recipe, samples = model.recipe(data.name), data.load("train", folder)
    place = _place(data, samples.sha256, asdict(recipe))
    with reproducible(), told_in_one_line():
        run = TrainingRun(model, data, samples, folder, recipe=recipe, folder=place / "training")
        run.finish(started=time.perf_counter(), resume=True)
    module = run.learner.module.cpu()
    assert isinstance(module, nn.Sequential)
    return FeatureExtractor(module[:-1].eval())


def _place(data: DataSet, content: str, recipe: dict[str, object]) -> Path:
    """The cache's folder for the classifier of a data set with this content, trained by this recipe and by the code as it is."""
    code = sources_sha256("toolkit.models.base", "toolkit.models._layers", f"toolkit.models.{CLASSIFIER}", __package__)
    key = hashlib.sha256(msgspec.json.encode([data.name, content, recipe, code])).hexdigest()[:16]
    return cache_home() / "features" / f"{CLASSIFIER}-{data.name}-{key}"
