"""One network while it learns: optimizer, schedule, one step."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import random
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.core import EngineError, available_threads, this_machine, words_of
from toolkit.models.base import Model, OptimizerStep, TrainingRecipe

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


@contextlib.contextmanager
def told_in_one_line() -> Iterator[None]:
    """Inside the block a GPU whose memory is used up raises `EngineError`."""
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        hint = "take a smaller batch, or end other programs on the GPU"
        raise EngineError("the GPU's memory is used up", got=words_of(error), hint=hint) from error


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
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return not _BF16_INSTRUCTIONS.isdisjoint(this_machine().instruction_sets)


def can_compile(device: str) -> bool:
    """Whether what torch.compile needs for `device` is here: a C++ compiler; for CUDA Triton, and the C compiler that it calls."""
    if device == "cuda":
        own = os.environ.get("CC")
        return importlib.util.find_spec("triton") is not None and any(shutil.which(name) for name in ([own] if own else ["gcc", "clang"]))
    return shutil.which(os.environ.get("CXX", "g++")) is not None


class Learner:
    """A network of a model and its optimizers over `steps` steps: AdamW (Loshchilov and Hutter 2019) with a one-cycle schedule (Smith and
    Topin 2018), or with a falling learning rate where a step names its betas.

    Biases and normalisation layers do not decay. ``bf16`` and ``compiled`` say whether the recipe's mixed precision and its compilation are
    really used.
    """

    def __init__(self, model: Model, module: nn.Module, recipe: TrainingRecipe, *, steps: int, device: str) -> None:
        import torch

        self.device = device
        self.bf16 = recipe.bf16 and has_fast_bf16(device)
        self.compiled = recipe.compile and can_compile(device)
        self.module = module.to(device, memory_format=torch.channels_last)
        # Only the steps: what validates and exports is the network itself.
        stepping = torch.compile(self.module) if self.compiled else self.module
        self._recipe = recipe
        self._done = 0
        self.optimizers = [
            ScheduledOptimizer(each, recipe, max(steps // each.every, 2)) for each in model.optimizer_steps(stepping, recipe)
        ]

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        return float(self.optimizers[0].optimizer.param_groups[0]["lr"])

    def step(self, inputs: Tensor, targets: Tensor, *, where: str = "") -> float:
        """Learn from a batch ``[B, ...]`` with targets ``[B]``, and return its loss, the sum over its steps; raises `EngineError` when that
        is not finite.
        """
        import torch

        self.module.train()
        if inputs.ndim == 4:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        total = 0.0
        for each in self.optimizers:
            if self._done % each.spec.every:
                continue
            with torch.autocast(self.device, torch.bfloat16, enabled=self.bf16):
                loss = each.spec.loss(inputs, targets)
            if self._recipe.l1:
                loss = loss + self._recipe.l1 * sum(weight.abs().sum() for weight in each.optimizer.param_groups[0]["params"])
            each.optimizer.zero_grad()
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(each.spec.module.parameters(), self._recipe.gradient_norm)
            if not torch.isfinite(norm) or not torch.isfinite(loss):
                raise EngineError(
                    f"training diverged{where}", expected="a finite loss and gradient", got=f"loss {loss.item():g}", hint="learn slower"
                )
            each.step()
            total += float(loss.item())
        self._done += 1
        return total

    def tensors(self) -> dict[str, Tensor]:
        """Weights and the optimizers' moments, by the names of a checkpoint."""
        found = {f"model.{name}": value for name, value in self.module.state_dict().items()}
        for place, each in enumerate(self.optimizers):
            for row, values in each.optimizer.state_dict()["state"].items():
                found |= {f"optimizer.{place}.{row}.{name}": value for name, value in values.items()}
        return found

    def settings(self) -> dict[str, Any]:
        """What JSON can carry of the optimizers and of their schedules."""
        return {"done": self._done, "players": [each.settings() for each in self.optimizers]}

    def restore(self, *, weights: dict[str, Tensor], moments: dict[str, Tensor], settings: dict[str, Any]) -> None:
        """Go on where `tensors` and `settings` were taken."""
        self.module.load_state_dict(weights)
        self._done = settings["done"]
        for place, (each, own) in enumerate(zip(self.optimizers, settings["players"], strict=True)):
            state: dict[int, dict[str, Tensor]] = {}
            for name, value in moments.items():
                whose, row, key = name.split(".", 2)
                if int(whose) == place:
                    state.setdefault(int(row), {})[key] = value
            each.restore(state, own)


class ScheduledOptimizer:
    """The optimizer of one step, and its schedule."""

    def __init__(self, spec: OptimizerStep, recipe: TrainingRecipe, steps: int) -> None:
        from torch.optim import AdamW
        from torch.optim.lr_scheduler import LinearLR, LRScheduler, OneCycleLR

        self.spec = spec
        parameters = [each for each in spec.module.parameters() if each.requires_grad]
        groups = [
            {"params": [each for each in parameters if each.ndim > 1], "weight_decay": recipe.weight_decay},
            {"params": [each for each in parameters if each.ndim <= 1], "weight_decay": 0.0},
        ]
        self.optimizer = AdamW(groups, lr=recipe.learning_rate, betas=spec.betas or (0.9, 0.999))
        self.schedule: LRScheduler
        if spec.betas is None:
            self.schedule = OneCycleLR(self.optimizer, recipe.learning_rate, total_steps=steps)
        else:
            self.schedule = LinearLR(self.optimizer, 1.0, 0.1, total_iters=steps)
        self._last = steps - 1

    def step(self) -> None:
        """Move the weights by their gradients."""
        self.optimizer.step()
        # OneCycleLR counts the first step when it is made, and refuses to go beyond the last.
        if self.schedule.last_epoch < self._last:
            self.schedule.step()

    def settings(self) -> dict[str, Any]:
        """What JSON can carry."""
        schedule = {key: value for key, value in self.schedule.state_dict().items() if not callable(value)}
        return {"groups": self.optimizer.state_dict()["param_groups"], "schedule": schedule}

    def restore(self, state: dict[int, dict[str, Tensor]], settings: dict[str, Any]) -> None:
        """Go on with these moments and settings."""
        groups = [{**group, "betas": tuple(group["betas"])} for group in settings["groups"]]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        self.schedule.load_state_dict(settings["schedule"])
