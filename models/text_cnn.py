"""A convolutional network over the words of a text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.core import needs

from ._layers import check_vocabulary
from .base import TextClassifier, TrainingRecipe

if TYPE_CHECKING:
    from torch import Tensor, nn

EMBEDDING, FILTERS, WIDTHS = 64, 64, (3, 4, 5)


class TextCnn(TextClassifier):
    """Word vectors, convolutions over 3, 4 and 5 words, and the maximum of each filter over the text."""

    name = "text-cnn"
    summary = "word vectors of 64, 3 x 64 filters, max over time"
    paper = "Kim 2014, Convolutional Neural Networks for Sentence Classification"

    def build(self, tokens: int, classes: int) -> nn.Module:
        """The network for texts of at least 5 tokens."""
        check_vocabulary(tokens, classes)
        with needs("train"):
            import torch
            from torch import nn

        class Net(nn.Module):  # type: ignore[misc]
            """Vectors, filters, logits."""

            def __init__(self) -> None:
                super().__init__()
                self.words = nn.Embedding(tokens, EMBEDDING, padding_idx=0)
                self.filters = nn.ModuleList([nn.Conv1d(EMBEDDING, FILTERS, width, padding=width // 2) for width in WIDTHS])
                self.dropout = nn.Dropout(0.5)
                self.head = nn.Linear(len(WIDTHS) * FILTERS, classes)

            def forward(self, tokens: Tensor) -> Tensor:
                x = self.dropout(self.words(tokens)).transpose(1, 2)
                found = [torch.relu(layer(x)).amax(dim=2) for layer in self.filters]
                return self.head(self.dropout(torch.cat(found, dim=1)))

        return Net()

    def recipe(self, data: str) -> TrainingRecipe:  # noqa: ARG002 - one for all texts
        """A few thousand sentences are learned by heart in a few epochs: much dropout and decay, and the epoch that validates best."""
        return TrainingRecipe(epochs=12, batch_size=64, learning_rate=2e-3, weight_decay=0.2, patience=4)
