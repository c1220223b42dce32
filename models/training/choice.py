"""Which samples a training sees, and whether what it did not see looks strange to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from toolkit.core import InputError, Samples, UnknownNameError, needs
from toolkit.models.base import Autoencoder, Model, TrainingRecipe
from toolkit.models.data import DataSet
from toolkit.models.data._split import stratified

from .evaluate import outputs_of

if TYPE_CHECKING:
    from torch import nn

HELD_OUT = "held_out"
"""In a manifest's details: the label that was not learned."""


def chosen_samples(data: DataSet, samples: Samples, recipe: TrainingRecipe) -> Samples:
    """Without the class that is held out, and only a few of each other where the recipe says so, drawn by its seed.

    Raises:
        UnknownNameError: no such label.
        InputError: a class has fewer samples than that.
    """
    samples = without_label(data, samples, recipe.hold_out)
    if not recipe.few:
        return samples
    assert samples.targets is not None, "a data set is labelled"
    classes, counts = np.unique(samples.targets, return_counts=True)
    if counts.min() < recipe.few:
        least = data.labels[int(classes[counts.argmin()])]
        raise InputError(f"samples of class '{least}' of '{data.name}'", expected=f"at least {recipe.few}", got=str(counts.min()))
    same = np.concatenate([np.flatnonzero(samples.targets == each)[: counts.min()] for each in classes])
    even = samples.rows(np.sort(same))
    assert even.targets is not None
    return even.rows(stratified(even.targets, recipe.few * len(classes), seed=recipe.seed))


def without_label(data: DataSet, samples: Samples, label: str) -> Samples:
    """The samples of every other class; all of them where `label` is empty."""
    if not label:
        return samples
    if label not in data.labels:
        raise UnknownNameError("label", label, data.labels)
    assert samples.targets is not None, "a data set is labelled"
    return samples.rows(samples.targets != data.labels.index(label))


def anomaly_auc(model: Model, module: nn.Module, data: DataSet, samples: Samples, label: str) -> float | None:
    """The area under the ROC curve of an autoencoder's error as a sign of the class that it never saw; None without one."""
    if not label or not isinstance(model, Autoencoder):
        return None
    import torch

    with needs("train"):
        from sklearn.metrics import roc_auc_score
    assert samples.targets is not None, "a data set is labelled"
    (inputs,) = samples.inputs.values()
    errors = model.errors(outputs_of(module, samples), torch.from_numpy(inputs), torch.from_numpy(samples.targets))
    return float(roc_auc_score(samples.targets == data.labels.index(label), errors.numpy()))
