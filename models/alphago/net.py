"""The policy/value network: a residual tower with two heads that do not depend on the board's size.

Silver et al. 2017, "Mastering the game of Go without human knowledge", Methods, with heads that pool over the board as in Wu 2019,
"Accelerating Self-Play Learning in Go" (arXiv 1902.10565), sections 3.3 and 4.1: one set of weights then exports for any size.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.core import Artifact, InputError, Scalar, Signature, TensorSpec, needs

from ..training.export import export_pt2
from .games import Game

if TYPE_CHECKING:
    from torch import Tensor, nn

_HEAD = 32


@dataclass(frozen=True)
class NetOptions:
    """``blocks`` residual blocks of ``channels`` channels. ``pooling`` adds to every second block a bias for each channel from the whole
    board's mean and maximum. ``ownership`` and ``score`` are heads for training only, on targets of Go: they are not exported.
    """

    blocks: int = 6
    channels: int = 64
    pooling: bool = False
    ownership: bool = False
    score: bool = False

    def __post_init__(self) -> None:
        if not (1 <= self.blocks <= 80 and 4 <= self.channels <= 1024):
            raise InputError("the net's size", expected="1 to 80 blocks of 4 to 1024 channels", got=f"{self.blocks} x {self.channels}")


def signature_of(game: Game) -> Signature:
    """``planes [batch, C, H, W] -> policy [batch, A] logits, value [batch]``, float32; the value is for the player to move."""
    return Signature(
        (TensorSpec("planes", "float32", ("batch", game.planes, game.height, game.width)),),
        (TensorSpec("policy", "float32", ("batch", game.actions)), TensorSpec("value", "float32", ("batch",))),
    )


def build_net(game: Game, options: NetOptions) -> nn.Module:
    """An initialised network for the planes and actions of `game`.

    ``net(planes)`` gives ``policy [B, A]`` logits and ``value [B]`` in [-1, 1]. ``net.heads(planes)`` gives by name also ``ownership
    [B, H * W]`` (logits that the cell is the mover's) and ``score [B]`` (points for the mover, in units of 10), where they are asked for.

    A policy has an entry for each cell, with one more it has a pass; with any other number it is a dense layer, and the size is fixed.
    """
    with needs("train"):
        import torch
        from torch import nn

    cells, width = game.height * game.width, options.channels

    def convolution(into: int, out: int, size: int) -> list[nn.Module]:
        return [nn.Conv2d(into, out, size, padding=size // 2, bias=False), nn.BatchNorm2d(out)]

    def pooled(x: Tensor) -> Tensor:
        return torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1)

    class Block(nn.Module):  # type: ignore[misc]
        """Two convolutions beside a shortcut; with pooling the whole board reaches each cell between them."""

        def __init__(self, *, pooling: bool) -> None:
            super().__init__()
            self.first = nn.Sequential(*convolution(width, width, 3))
            self.second = nn.Sequential(*convolution(width, width, 3))
            self.bias = nn.Linear(2 * width, width) if pooling else None

        def forward(self, x: Tensor) -> Tensor:
            y = torch.relu(self.first(x))
            if self.bias is not None:
                y = torch.relu(y + self.bias(pooled(y))[:, :, None, None])
            return torch.relu(x + self.second(y))

    class PolicyValueNet(nn.Module):  # type: ignore[misc]
        """Tower and heads."""

        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Sequential(*convolution(game.planes, width, 3), nn.ReLU())
            self.tower = nn.Sequential(*[Block(pooling=options.pooling and index % 2 == 1) for index in range(options.blocks)])
            self.policy_features = nn.Sequential(*convolution(width, _HEAD, 1), nn.ReLU())
            self.value_features = nn.Sequential(*convolution(width, _HEAD, 1), nn.ReLU())
            self.dense = nn.Linear(_HEAD * cells, game.actions) if game.actions not in {cells, cells + 1} else None
            self.cell = nn.Conv2d(_HEAD, 1, 1) if self.dense is None else None
            self.elsewhere = nn.Linear(2 * _HEAD, 1) if game.actions == cells + 1 else None
            self.value = nn.Sequential(nn.Linear(2 * _HEAD, 64), nn.ReLU(), nn.Linear(64, 1))
            self.ownership = nn.Conv2d(_HEAD, 1, 1) if options.ownership else None
            self.score = nn.Sequential(nn.Linear(2 * _HEAD, 64), nn.ReLU(), nn.Linear(64, 1)) if options.score else None

        def forward(self, planes: Tensor) -> tuple[Tensor, Tensor]:
            x = self.tower(self.stem(planes))
            return self._policy(self.policy_features(x)), self._value(self.value_features(x))

        def heads(self, planes: Tensor) -> dict[str, Tensor]:
            x = self.tower(self.stem(planes))
            features = self.value_features(x)
            outputs = {"policy": self._policy(self.policy_features(x)), "value": self._value(features)}
            if self.ownership is not None:
                outputs["ownership"] = self.ownership(features).flatten(1)
            if self.score is not None:
                outputs["score"] = self.score(pooled(features)).squeeze(1)
            return outputs

        def _policy(self, features: Tensor) -> Tensor:
            if self.dense is not None:
                return self.dense(features.flatten(1))
            assert self.cell is not None
            logits = self.cell(features).flatten(1)
            return logits if self.elsewhere is None else torch.cat([logits, self.elsewhere(pooled(features))], dim=1)

        def _value(self, features: Tensor) -> Tensor:
            return torch.tanh(self.value(pooled(features))).squeeze(1)

    net = PolicyValueNet()
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    for last in (net.dense, net.cell, net.elsewhere, net.value[-1]):
        if last is not None:  # An even policy and a value of about 0: search begins without an opinion.
            nn.init.normal_(last.weight, std=0.01)
    # Each block begins as the identity (Goyal et al. 2017, section 5.1).
    for block in net.tower:
        nn.init.zeros_(block.second[1].weight)
    return net


def export_net(net: nn.Module, *, game: Game, options: NetOptions, out: Path, recipe: Mapping[str, Any] | None = None) -> Artifact:
    """Write the network's policy and value as the ``.pt2`` artifact folder `out`, for the size of `game`; see `export_pt2`.

    The artifact's details, and those of everything that is made from it, name the game, and in Go komi and score weight.
    """
    rules: dict[str, Scalar] = {name: vars(game)[name] for name in ("komi", "score_weight") if name in vars(game)}
    # A copy: the exporter leaves a module in evaluation mode, and training goes on with this one.
    return export_pt2(
        copy.deepcopy(net).cpu(),
        signature=signature_of(game),
        out=out,
        model="alphago",
        recipe={**asdict(options), **(recipe or {})},
        details={"game": game.name, **rules},
    )
