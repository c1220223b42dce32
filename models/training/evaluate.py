"""What a network answers, and how good the answers are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from toolkit.core import DataError, Samples
from toolkit.models.base import Classifier, Predictor

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Score:
    """``loss`` is the mean of the model's own errors, for a classifier the cross-entropy in nats, for a generator the Fréchet distance,
    ``loss_error`` its standard error, ``accuracy`` the share of samples whose largest logit is at the target, None without classes.
    """

    loss: float
    loss_error: float
    accuracy: float | None = None


def outputs_of(module: nn.Module, samples: Samples, *, batch_size: int = 500) -> Tensor:
    """The first outputs ``[N, ...]`` of a network with one input, in evaluation mode, on the CPU; its own mode is given back."""
    import torch

    if len(samples.inputs) != 1 or len(samples) == 0:
        raise DataError(f"samples '{samples.origin}'", expected="one input with at least 1 row", got=f"{len(samples.inputs)} inputs")
    (inputs,) = samples.inputs.values()
    device = next(module.parameters()).device
    was_training = module.training
    module.eval()
    try:
        with torch.inference_mode():
            answers = [module(batch.to(device)) for batch in torch.from_numpy(inputs).split(batch_size)]
    finally:
        module.train(was_training)
    return torch.cat([(answer[0] if isinstance(answer, tuple) else answer).cpu() for answer in answers])


def score_of(model: Predictor, module: nn.Module, samples: Samples, *, batch_size: int = 500) -> Score:
    """How good a network is on labelled samples; raises `DataError` when they have no targets."""
    import torch

    if samples.targets is None:
        raise DataError(f"samples '{samples.origin}' have no targets", expected="a label for every sample")
    outputs = outputs_of(module, samples, batch_size=batch_size)
    (inputs,) = samples.inputs.values()
    targets = torch.from_numpy(samples.targets)
    errors = model.errors(outputs, torch.from_numpy(inputs), targets).double().numpy()
    accuracy = float((outputs.argmax(dim=1) == targets).double().mean()) if isinstance(model, Classifier) else None
    return Score(float(errors.mean()), float(errors.std() / np.sqrt(len(errors))), accuracy)
