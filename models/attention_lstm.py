"""A recurrent network that reads a text both ways and attends to its words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.core import needs

from ._layers import check_vocabulary
from .base import TextClassifier, TrainingRecipe

if TYPE_CHECKING:
    from torch import Tensor, nn

EMBEDDING, HIDDEN = 64, 64
_NEVER = -1e4  # as a score: exp(-1e4) is 0 in every precision, and fp16 holds it


class AttentionLstm(TextClassifier):
    """Word vectors, a bidirectional LSTM (Graves and Schmidhuber 2005), and a learned mean of its states (section 2.2)."""

    name = "attention-lstm"
    summary = "word vectors of 64, LSTM of 2 x 64 units, attention over words"
    paper = "Yang et al. 2016, Hierarchical Attention Networks for Document Classification"

    def build(self, tokens: int, classes: int) -> nn.Module:
        """The network for texts of any length; what fills them up is not attended to."""
        check_vocabulary(tokens, classes)
        with needs("train"):
            import torch
            from torch import nn

        class Net(nn.Module):  # type: ignore[misc]
            """Vectors, states, their mean, logits."""

            def __init__(self) -> None:
                super().__init__()
                self.words = nn.Embedding(tokens, EMBEDDING, padding_idx=0)
                self.layer = nn.LSTM(EMBEDDING, HIDDEN, batch_first=True, bidirectional=True)
                self.attention = nn.Sequential(nn.Linear(2 * HIDDEN, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, 1, bias=False))
                self.dropout = nn.Dropout(0.5)
                self.head = nn.Linear(2 * HIDDEN, classes)

            def forward(self, tokens: Tensor) -> Tensor:
                states, _ = self.layer(self.dropout(self.words(tokens)))
                empty = (tokens == 0).unsqueeze(2).to(states.dtype)
                weights = torch.softmax(self.attention(states) + empty * _NEVER, dim=1)
                return self.head(self.dropout((weights * states).sum(dim=1)))

        return Net()

    def recipe(self, data: str) -> TrainingRecipe:  # noqa: ARG002 - one for all texts
        """A few thousand sentences are learned by heart in a few epochs: much dropout and decay, and the epoch that validates best."""
        return TrainingRecipe(epochs=10, batch_size=64, learning_rate=2e-3, weight_decay=0.2, patience=4)
