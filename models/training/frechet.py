"""How far invented images are from real ones: the Fréchet distance between what a classifier sees in them."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from toolkit.core import Samples, cache_home, needs, sources_sha256
from toolkit.models.base import Generator

if TYPE_CHECKING:
    from torch import nn

    from toolkit.models.data import DataSet

CLASSIFIER = "cnn"


def frechet_distance(one: np.ndarray, other: np.ndarray) -> float:
    """Between two normal distributions that have the means and covariances of rows ``[N, features]`` (Heusel et al. 2017, section 3).

    The square root of the product is that of a symmetric matrix with the same trace, which has no imaginary part.
    """
    first, second = one.astype(float), other.astype(float)
    shift = first.mean(axis=0) - second.mean(axis=0)
    spread, others = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    root = _root(spread)
    mixed = np.trace(_root(root @ others @ root))
    return float(np.sum(shift**2) + np.trace(spread) + np.trace(others) - 2 * mixed)


class Observer:
    """The toolkit's own classifier of a data set without its last layer."""

    def __init__(self, data: DataSet, folder: Path | None = None) -> None:
        self._body = _classifier(data, folder)
        self._seen: dict[str, np.ndarray] = {}

    def features(self, images: np.ndarray) -> np.ndarray:
        """What it sees in prepared images ``[N, C, H, W]``: ``[N, features]``."""
        import torch

        with torch.inference_mode():
            parts = [self._body(batch) for batch in torch.from_numpy(images).split(500)]
        found: np.ndarray = torch.cat(parts).numpy()
        return found

    def distance(self, model: Generator, module: nn.Module, samples: Samples) -> float:
        """Of as many invented images as there are samples, with the same labels and a noise that is always the same."""
        import torch

        assert samples.targets is not None, "a data set is labelled"
        if samples.sha256 not in self._seen:
            self._seen[samples.sha256] = self.features(samples.inputs["image"])
        was_training = module.training
        device = next(module.parameters()).device
        module.eval()
        with torch.random.fork_rng(), torch.inference_mode():
            torch.manual_seed(0)
            images = [model.invent(module, labels.to(device)).cpu() for labels in torch.from_numpy(samples.targets).split(500)]
        module.train(was_training)
        return frechet_distance(self._seen[samples.sha256], self.features(torch.cat(images).numpy()))


def _root(matrix: np.ndarray) -> np.ndarray:
    """Of a symmetric matrix without negative eigenvalues, but for rounding."""
    values, vectors = np.linalg.eigh(matrix)
    root: np.ndarray = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return root


def _place(data: DataSet, content: str, recipe: dict[str, object]) -> Path:
    """The cache's folder for the classifier of a data set with this content, trained by this recipe and by the code as it is."""
    code = sources_sha256("toolkit.models.base", "toolkit.models._layers", f"toolkit.models.{CLASSIFIER}", __package__)
    key = hashlib.sha256(msgspec.json.encode([data.name, content, recipe, code])).hexdigest()[:16]
    return cache_home() / "features" / f"{CLASSIFIER}-{data.name}-{key}"


def _classifier(data: DataSet, folder: Path | None) -> nn.Module:
    """Trained by its own recipe the first time, then out of the cache, where its checkpoint says of what data and recipe it is."""
    from toolkit.models import find_model

    from .checkpoint import CHECKPOINT, Checkpoint
    from .trainer import train

    with needs("train"):
        from torch import nn
    model = find_model(CLASSIFIER)
    recipe = model.recipe(data.name)
    place = _place(data, data.load("train", folder).sha256, asdict(recipe))
    if not (place / "pt2-fp32").is_dir():
        train(model, data, recipe=recipe, out=place, data_folder=folder, resume=True)
    module = model.module(data, folder)
    module.load_state_dict(Checkpoint.load(place / "training" / CHECKPOINT).group("best"))
    assert isinstance(module, nn.Sequential)
    return module[:-1].eval()
