"""Autoencoding: the input again, through a form with fewer or with more restricted numbers."""

from __future__ import annotations

import numpy as np

from toolkit.core import Signature

from ._targets import is_whole
from .any_outputs import AnyOutputs


class Autoencoding(AnyOutputs):
    """What a network gives back of its only input."""

    name = "autoencoding"
    title = "Reconstruction of the input"
    targets = "none are needed: the input is what should come back; a label for each sample, int[N], divides the errors by class"

    def fits(self, signature: Signature, targets: np.ndarray | None) -> bool:
        """Whether a picture becomes one of the same shape, and there is a label for each, with which nothing else could be done."""
        (first, *others) = signature.inputs
        same = not others and len(first.shape) == 4 and signature.outputs[0].shape == first.shape
        return same and targets is not None and targets.ndim == 1 and is_whole(targets)
