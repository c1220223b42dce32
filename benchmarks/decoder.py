"""A decoder with rotary positions in three forms: the whole text, one token with a cache of fixed length, and tokens with one that grows.

Its weights are random but seeded: what it says means nothing, but small differences of its scores soon become other tokens. Vaswani et
al. 2017 with the norms first (Xiong et al. 2020); rotary positions: Su et al. 2021, "RoFormer".
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

VOCABULARY, WIDTH, HEADS, LAYERS, LENGTH = 256, 128, 4, 4, 264
SIZE = WIDTH // HEADS
_NEVER = -1e9


def turned(x: Tensor, position: Tensor) -> Tensor:
    """Queries or keys ``[B, HEADS, T, SIZE]`` turned by their positions ``[B, T]`` (section 3.4.2, in halves as LLaMA has it)."""
    rates = 10000.0 ** (-torch.arange(0, SIZE, 2, dtype=torch.float32) / SIZE)
    angle = position.to(torch.float32)[:, None, :, None] * rates
    one, two = x.split(SIZE // 2, dim=-1)
    return torch.cat([one * angle.cos() - two * angle.sin(), one * angle.sin() + two * angle.cos()], dim=-1)


class Layer(nn.Module):
    """Attention to keys and values, and a feed-forward part."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)])
        self.mixed, self.out = nn.Linear(WIDTH, 3 * WIDTH, bias=False), nn.Linear(WIDTH, WIDTH, bias=False)
        self.forwards = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def parts(self, x: Tensor, position: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Query, key and value of each token, ``[B, HEADS, T, SIZE]``."""
        query, key, value = self.mixed(self.norms[0](x)).unflatten(-1, (3, HEADS, SIZE)).permute(2, 0, 3, 1, 4).unbind(0)
        return turned(query, position), turned(key, position), value

    def forward(self, x: Tensor, query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
        """The tokens ``[B, T, WIDTH]`` after they have looked where `mask` lets them."""
        weights = (query @ key.transpose(-1, -2) / SIZE**0.5).masked_fill(~mask, _NEVER).softmax(-1)
        x = x + self.out((weights @ value).transpose(1, 2).flatten(2))
        return x + self.forwards(self.norms[1](x))


class Decoder(nn.Module):
    """``tokens`` ``[B, T]`` -> ``logits`` ``[B, T, VOCABULARY]`` of the tokens behind each."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.tokens, self.layers = nn.Embedding(VOCABULARY, WIDTH), nn.ModuleList(Layer() for _ in range(LAYERS))
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, VOCABULARY)
        for weights in self.parameters():
            if weights.ndim > 1:
                nn.init.normal_(weights, std=0.15)
        self.eval()

    def forward(self, tokens: Tensor) -> dict[str, Tensor]:
        position = torch.arange(tokens.shape[1])[None]
        mask = (position[:, None] <= position[:, :, None])[:, None]
        x = self.tokens(tokens)
        for layer in self.layers:
            x = layer(x, *layer.parts(x, position), mask)
        return {"logits": self.head(self.norm(x))}


class Step(nn.Module):
    """One token behind those whose keys and values ``past`` ``[B, 2 * LAYERS, HEADS, LENGTH, SIZE]`` has before ``position``."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, token: Tensor, position: Tensor, past: Tensor) -> dict[str, Tensor]:
        places = torch.arange(LENGTH)
        here = (places == position[:, None])[:, None, :, None]
        mask = (places <= position[:, None])[:, None, None]
        x = self.decoder.tokens(token)[:, None]
        present = []
        for number, layer in enumerate(self.decoder.layers):
            query, key, value = layer.parts(x, position[:, None])
            present += [torch.where(here, key, past[:, 2 * number]), torch.where(here, value, past[:, 2 * number + 1])]
            x = layer(x, query, *present[-2:], mask)
        logits = self.decoder.head(self.decoder.norm(x))[:, 0]
        return {"logits": logits, "position_out": position + 1, "present": torch.stack(present, 1)}


class Growing(nn.Module):
    """``tokens`` ``[B, T]`` behind those whose keys and values ``past`` ``[B, 2 * LAYERS, HEADS, before, SIZE]`` has."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, tokens: Tensor, past: Tensor) -> dict[str, Tensor]:
        before = past.shape[3]
        position = before + torch.arange(tokens.shape[1])[None]
        mask = (torch.arange(before + tokens.shape[1]) <= position[:, :, None])[:, None]
        x = self.decoder.tokens(tokens)
        present = []
        for number, layer in enumerate(self.decoder.layers):
            query, key, value = layer.parts(x, position)
            present += [torch.cat([past[:, 2 * number], key], 2), torch.cat([past[:, 2 * number + 1], value], 2)]
            x = layer(x, query, *present[-2:], mask)
        return {"logits": self.decoder.head(self.decoder.norm(x)), "present": torch.stack(present, 1)}
