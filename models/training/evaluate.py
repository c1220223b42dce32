"""What a network answers, and how good the answers are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from toolkit.core import DataError, Samples

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Score:
    """``accuracy`` is the share of samples whose largest logit is at the target, ``loss`` the mean cross-entropy in nats and
    ``loss_error`` its standard error.
    """

    accuracy: float
    loss: float
    loss_error: float


def logits_of(module: nn.Module, samples: Samples, *, batch_size: int = 500) -> np.ndarray:
    """The logits float32 ``[N, classes]`` of a network with one input, in evaluation mode; its own mode is given back."""
    import torch

    if len(samples.inputs) != 1 or len(samples) == 0:
        raise DataError(f"samples '{samples.origin}'", expected="one input with at least 1 row", got=f"{len(samples.inputs)} inputs")
    (images,) = samples.inputs.values()
    device = next(module.parameters()).device
    was_training = module.training
    module.eval()
    try:
        with torch.inference_mode():
            parts = [module(batch.to(device)).cpu() for batch in torch.from_numpy(images).split(batch_size)]
    finally:
        module.train(was_training)
    logits: np.ndarray = torch.cat(parts).numpy()
    return logits


def score_of(module: nn.Module, samples: Samples, *, batch_size: int = 500) -> Score:
    """How good a classifier is on labelled samples; raises `DataError` when they have no targets."""
    if samples.targets is None:
        raise DataError(f"samples '{samples.origin}' have no targets", expected="a label for every sample")
    logits = logits_of(module, samples, batch_size=batch_size).astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    losses = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(logits)), samples.targets]
    accuracy = float(np.mean(logits.argmax(axis=1) == samples.targets))
    return Score(accuracy, float(losses.mean()), float(losses.std() / np.sqrt(len(losses))))
