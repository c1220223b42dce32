"""Reference networks, their data and their training."""

from __future__ import annotations

from toolkit.core import UnknownNameError, discover

from .base import Autoencoder, Classifier, Generator, ImageClassifier, Model, Predictor, TextClassifier, TrainingRecipe

__all__ = [
    "Autoencoder",
    "Classifier",
    "Generator",
    "ImageClassifier",
    "Model",
    "Predictor",
    "TextClassifier",
    "TrainingRecipe",
    "all_models",
    "find_model",
]


def all_models() -> tuple[Model, ...]:
    """Every reference model, by name."""
    return discover(__name__, Model)


def find_model(name: str) -> Model:
    """The reference model called `name`; raises `UnknownNameError`."""
    models = {model.name: model for model in all_models()}
    if name not in models:
        raise UnknownNameError("model", name, models)
    return models[name]
