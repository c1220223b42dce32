"""How far sampled images are from real ones: the Fréchet distance between the features that a classifier extracts from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from toolkit.core import Samples
from toolkit.models.base import Generator

if TYPE_CHECKING:
    from torch import nn


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


class FeatureExtractor:
    """A classifier's layers but the last: ``body`` maps images ``[N, C, H, W]`` to features ``[N, features]``."""

    def __init__(self, body: nn.Module) -> None:
        self._body = body
        self._real: dict[str, np.ndarray] = {}

    def features(self, images: np.ndarray) -> np.ndarray:
        """The features ``[N, features]`` of prepared images ``[N, C, H, W]``."""
        import torch

        with torch.inference_mode():
            parts = [self._body(batch) for batch in torch.from_numpy(images).split(500)]
        found: np.ndarray = torch.cat(parts).numpy()
        return found

    def distance(self, model: Generator, module: nn.Module, samples: Samples) -> float:
        """Of as many sampled images as there are samples, with the same labels and a noise that is always the same."""
        import torch

        assert samples.targets is not None, "a data set is labelled"
        if samples.sha256 not in self._real:
            self._real[samples.sha256] = self.features(samples.inputs["image"])
        was_training = module.training
        device = next(module.parameters()).device
        module.eval()
        with torch.random.fork_rng(), torch.inference_mode():
            torch.manual_seed(0)
            images = [model.sample(module, labels.to(device)).cpu() for labels in torch.from_numpy(samples.targets).split(500)]
        module.train(was_training)
        return frechet_distance(self._real[samples.sha256], self.features(torch.cat(images).numpy()))


def _root(matrix: np.ndarray) -> np.ndarray:
    """Of a symmetric matrix without negative eigenvalues, but for rounding."""
    values, vectors = np.linalg.eigh(matrix)
    root: np.ndarray = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return root
