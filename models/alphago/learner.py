"""Training of the policy/value network on replayed positions."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.core import InputError, needs

from ..training.learner import device_here, told_in_one_line
from .games import Game
from .net import NetOptions, build_net
from .replay import Batch, Replay

if TYPE_CHECKING:
    from torch import Tensor

_SCORE_UNIT = 10.0


@dataclass(frozen=True)
class LearnerOptions:
    """AdamW with ``learning_rate`` after ``warm_up`` steps. ``average`` is the decay a step of the weights' moving average, which is what
    plays. ``bf16`` trains in mixed precision. Weights of the losses: policy 1, ``value_weight``, ``ownership_weight``, ``score_weight``.
    """

    batch_size: int = 256
    learning_rate: float = 2e-3
    warm_up: int = 100
    weight_decay: float = 1e-3
    gradient_norm: float = 4.0
    average: float = 0.99
    value_weight: float = 1.0
    ownership_weight: float = 0.5
    score_weight: float = 0.05
    bf16: bool = True

    def __post_init__(self) -> None:
        if self.batch_size < 2 or self.learning_rate <= 0 or not 0 <= self.average < 1:
            raise InputError(
                "training", expected="a batch of 2 or more, a positive learning rate, an average below 1", got=str(asdict(self))
            )


@dataclass(frozen=True)
class Losses:
    """Means over the steps: cross-entropies in nats, the value's mean squared error, and the targets' entropy: the policy's floor."""

    steps: int
    policy: float
    value: float
    entropy: float


class Learner:
    """A network that learns, on a GPU of NVIDIA's where torch has one, and the moving average of its weights, which plays.

    ``state`` and `restore` are all that a checkpoint needs: tensors by name.
    """

    def __init__(self, game: Game, net: NetOptions, options: LearnerOptions, *, seed: int) -> None:
        with needs("train"):
            import torch
        self._torch, self._options, self.device = torch, options, device_here()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.net = build_net(game, net).to(self.device, memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.net)
        decayed = [p for p in self.net.parameters() if p.ndim > 1]
        others = [p for p in self.net.parameters() if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": options.weight_decay}, {"params": others, "weight_decay": 0.0}]
        self._optimizer = torch.optim.AdamW(groups, lr=options.learning_rate)
        self.steps = 0

    def learn(self, replay: Replay, steps: int, random: np.random.Generator, *, rate: float = 1.0) -> Losses:
        """`steps` optimizer steps on random batches, at a share `rate` of the learning rate; returns the mean losses."""
        sums = np.zeros(3)
        self.net.train()
        with told_in_one_line():
            for _ in range(steps):
                sums += self._step(replay.sample(self._options.batch_size, random), rate)
        policy, value, entropy = (sums / max(steps, 1)).tolist()
        return Losses(steps, policy, value, entropy)

    def _step(self, batch: Batch, rate: float) -> np.ndarray:
        torch, options = self._torch, self._options
        for group in self._optimizer.param_groups:
            group["lr"] = rate * options.learning_rate * min(1.0, (self.steps + 1) / options.warm_up)
        planes = torch.from_numpy(batch.planes).to(self.device, memory_format=torch.channels_last)
        with torch.autocast(self.device, torch.bfloat16, enabled=options.bf16):
            outputs = self.net.heads(planes)
        loss, parts = self._loss({name: tensor.float() for name, tensor in outputs.items()}, batch)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), options.gradient_norm)
        self._optimizer.step()
        self.steps += 1
        self._follow()
        return parts

    def _loss(self, outputs: dict[str, Tensor], batch: Batch) -> tuple[Tensor, np.ndarray]:
        torch, options = self._torch, self._options
        from torch.nn import functional as f

        def moved(array: np.ndarray) -> Tensor:
            return torch.from_numpy(array).to(self.device)

        target, weight = moved(batch.policy), moved(batch.policy_weight)
        heard = weight.sum().clamp(min=1)
        policy = -(weight * (target * f.log_softmax(outputs["policy"], dim=1)).sum(dim=1)).sum() / heard
        entropy = -(weight * torch.xlogy(target, target).sum(dim=1)).sum() / heard
        value = f.mse_loss(outputs["value"], moved(batch.value))
        loss = policy + options.value_weight * value
        known = moved(batch.known)
        if "ownership" in outputs:
            each = f.binary_cross_entropy_with_logits(outputs["ownership"], moved(batch.ownership), reduction="none").mean(dim=1)
            loss = loss + options.ownership_weight * (known * each).mean()
        if "score" in outputs:
            each = f.smooth_l1_loss(outputs["score"], moved(batch.score) / _SCORE_UNIT, reduction="none")
            loss = loss + options.score_weight * (known * each).mean()
        return loss, np.array([policy.item(), value.item(), entropy.item()])

    def _follow(self) -> None:
        """Move the average; early steps count more, so that it forgets where training began."""
        decay = min(self._options.average, (1 + self.steps) / (10 + self.steps))
        with self._torch.no_grad():
            for mean, tensor in zip(self.average.state_dict().values(), self.net.state_dict().values(), strict=True):
                if tensor.is_floating_point():
                    mean.lerp_(tensor, 1 - decay)
                else:
                    mean.copy_(tensor)

    def state(self) -> dict[str, Tensor]:
        """Weights, their average and the optimizer's moments, by name."""
        tensors = {f"net.{name}": tensor for name, tensor in self.net.state_dict().items()}
        tensors |= {f"average.{name}": tensor for name, tensor in self.average.state_dict().items()}
        for index, moments in self._optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": tensor for name, tensor in moments.items()}
        return tensors

    def restore(self, tensors: dict[str, Tensor], *, steps: int) -> None:
        """Go on from `state`; raises `InputError` when it is of another network."""

        def part(prefix: str) -> dict[str, Tensor]:
            return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}

        try:
            self.net.load_state_dict(part("net."))
            self.average.load_state_dict(part("average."))
        except RuntimeError as error:
            got = str(error).splitlines()[-1].strip()
            raise InputError("the checkpoint is of another network", got=got, hint="give the same size, or another folder") from error
        moments: dict[int, dict[str, Any]] = {}
        for name, tensor in part("optimizer.").items():
            index, _, which = name.partition(".")
            moments.setdefault(int(index), {})[which] = tensor
        self._optimizer.load_state_dict({"state": moments, "param_groups": self._optimizer.state_dict()["param_groups"]})
        self.steps = steps
