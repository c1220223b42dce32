"""A transformer encoder that reads an image as a sequence of its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.core import needs

from ._layers import check_sizes
from .base import ImageClassifier, TrainingRecipe

if TYPE_CHECKING:
    from torch import Tensor, nn

WIDTH, HEADS, LAYERS, FEED_FORWARD = 64, 4, 2, 128


class Transformer(ImageClassifier):
    """Rows become tokens with learned places; two encoder layers, normalised before each part (Xiong et al. 2020), and the mean token."""

    name = "transformer"
    summary = "2 encoder layers over rows, width 64, 4 heads"
    paper = "Vaswani et al. 2017, Attention Is All You Need"

    def build(self, input_shape: tuple[int, int, int], classes: int) -> nn.Module:
        """The network for images of at least 2 x 2 pixels: ``[B, C, H, W]`` is read as H tokens of C * W numbers."""
        check_sizes(input_shape, classes, least=2)
        with needs("train"):
            import torch
            from torch import nn
        channels, height, width = input_shape

        class Layer(nn.Module):  # type: ignore[misc]
            """Self-attention and a feed-forward part, each beside a shortcut."""

            def __init__(self) -> None:
                super().__init__()
                self.norms = nn.ModuleList([nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)])
                self.mixed = nn.Linear(WIDTH, 3 * WIDTH)
                self.out = nn.Linear(WIDTH, WIDTH)
                self.forwards = nn.Sequential(nn.Linear(WIDTH, FEED_FORWARD), nn.GELU(), nn.Linear(FEED_FORWARD, WIDTH))
                self.dropout = nn.Dropout(0.1)

            def forward(self, x: Tensor) -> Tensor:
                x = x + self.dropout(self._attention(self.norms[0](x)))
                return x + self.dropout(self.forwards(self.norms[1](x)))

            def _attention(self, x: Tensor) -> Tensor:
                """Scaled dot products over all tokens (section 3.2)."""
                parts = self.mixed(x).unflatten(2, (3, HEADS, WIDTH // HEADS)).permute(2, 0, 3, 1, 4)
                query, key, value = parts.unbind(0)
                weights = torch.softmax(query @ key.transpose(2, 3) / (WIDTH // HEADS) ** 0.5, dim=-1)
                return self.out((weights @ value).transpose(1, 2).flatten(2))

        class Encoder(nn.Module):  # type: ignore[misc]
            """Tokens, layers, mean, logits."""

            def __init__(self) -> None:
                super().__init__()
                self.tokens = nn.Linear(channels * width, WIDTH)
                self.places = nn.Parameter(torch.empty(height, WIDTH))
                self.layers = nn.Sequential(*[Layer() for _ in range(LAYERS)])
                self.norm = nn.LayerNorm(WIDTH)
                self.head = nn.Linear(WIDTH, classes)

            def forward(self, image: Tensor) -> Tensor:
                x = self.tokens(image.transpose(1, 2).flatten(2)) + self.places
                return self.head(self.norm(self.layers(x)).mean(dim=1))

        module = Encoder()
        nn.init.normal_(module.places, std=0.02)
        for layer in module.modules():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)
        return module

    def recipe(self, data: str) -> TrainingRecipe:
        """A mirrored digit is another one; digits of 8 x 8 pixels need many passes over few images."""
        if data == "digits":
            return TrainingRecipe(epochs=60, batch_size=32, learning_rate=3e-3, weight_decay=1e-2)
        return TrainingRecipe(epochs=12, learning_rate=2e-3, weight_decay=5e-2, flip=data == "fashion-mnist")
