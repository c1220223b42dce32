"""One network while it learns: optimizer, schedule, one step."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.core import EngineError, available_threads, this_machine
from toolkit.models.base import TrainingRecipe

if TYPE_CHECKING:
    from torch import Tensor, nn

_BF16_INSTRUCTIONS = {"avx512_bf16", "amx_bf16", "bf16"}


@contextlib.contextmanager
def reproducible() -> Iterator[None]:
    """Fixed threads and deterministic kernels inside the block; generators and settings are given back after it.

    Results are the same bit for bit on one machine with one number of threads, not across machines.
    """
    import torch

    threads, python, numpy = torch.get_num_threads(), random.getstate(), np.random.get_state()  # noqa: NPY002
    cudnn = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    torch.set_num_threads(available_threads())
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
    try:
        with torch.random.fork_rng():
            yield
    finally:
        torch.set_num_threads(threads)
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = cudnn
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


def seed_everything(seed: int, epoch: int) -> None:
    """Seed torch, NumPy and Python for one epoch; epoch 0 is the initialisation."""
    import torch

    value = int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])
    torch.manual_seed(value)
    np.random.seed(value)  # noqa: NPY002 - a network of the user's may draw from it
    random.seed(value)


def device_here() -> str:
    """``cuda`` when torch can use it, else ``cpu``."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def has_fast_bf16(device: str) -> bool:
    """Whether bf16 is faster than fp32 on `device`: without the instructions torch emulates it, many times slower."""
    import torch

    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return not _BF16_INSTRUCTIONS.isdisjoint(this_machine().instruction_sets)


class Learner:
    """A network with AdamW (Loshchilov and Hutter 2019) and a one-cycle schedule (Smith and Topin 2018) over `steps` steps.

    Biases and normalisation layers do not decay. ``bf16`` says whether the recipe's mixed precision is really used.
    """

    def __init__(self, module: nn.Module, recipe: TrainingRecipe, *, steps: int, device: str) -> None:
        import torch

        self.device = device
        self.bf16 = recipe.bf16 and has_fast_bf16(device)
        self.module = module.to(device, memory_format=torch.channels_last)
        self.gradient_norm = recipe.gradient_norm
        self._loss = torch.nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
        parameters = list(self.module.parameters())
        groups = [
            {"params": [each for each in parameters if each.ndim > 1], "weight_decay": recipe.weight_decay},
            {"params": [each for each in parameters if each.ndim <= 1], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, recipe.learning_rate, total_steps=max(steps, 2))

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def step(self, inputs: Tensor, targets: Tensor, *, where: str = "") -> float:
        """Learn from a batch ``[B, ...]`` with targets ``[B]``, and return its loss; raises `EngineError` when that is not finite."""
        import torch

        self.module.train()
        if inputs.ndim == 4:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device, torch.bfloat16, enabled=self.bf16):
            logits = self.module(inputs)
        loss = self._loss(logits.float(), targets)
        self.optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.module.parameters(), self.gradient_norm)
        if not torch.isfinite(norm) or not torch.isfinite(loss):
            raise EngineError(
                f"training diverged{where}", expected="a finite loss and gradient", got=f"loss {loss.item():g}", hint="learn slower"
            )
        self.optimizer.step()
        # OneCycleLR counts the first step when it is made, and refuses to go beyond the last.
        if self.schedule.last_epoch < self.schedule.total_steps - 1:
            self.schedule.step()
        return float(loss.item())

    def tensors(self) -> dict[str, Tensor]:
        """Weights and the optimizer's moments, by the names of a checkpoint."""
        moments = self.optimizer.state_dict()["state"]
        return {
            **{f"model.{name}": value for name, value in self.module.state_dict().items()},
            **{f"optimizer.{row}.{name}": value for row, values in moments.items() for name, value in values.items()},
        }

    def settings(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What JSON can carry of the optimizer and of the schedule."""
        groups = self.optimizer.state_dict()["param_groups"]
        return {"groups": groups}, {key: value for key, value in self.schedule.state_dict().items() if not callable(value)}

    def restore(
        self, *, weights: dict[str, Tensor], moments: dict[str, Tensor], optimizer: dict[str, Any], schedule: dict[str, Any]
    ) -> None:
        """Go on where `tensors` and `settings` were taken."""
        self.module.load_state_dict(weights)
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in moments.items():
            row, _, key = name.partition(".")
            state.setdefault(int(row), {})[key] = value
        groups = [{**group, "betas": tuple(group["betas"])} for group in optimizer["groups"]]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        self.schedule.load_state_dict(schedule)
