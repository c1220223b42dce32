"""Where a training stands at the end of an epoch, in one safetensors file: tensors, and JSON as strings. No code, no pickle."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from toolkit.core import ArtifactError, first_line, write_file

if TYPE_CHECKING:
    from torch import Tensor

SCHEMA = 2
CHECKPOINT = "checkpoint.safetensors"


@dataclass(frozen=True)
class EpochMetrics:
    """One line of ``metrics.jsonl``: the mean training loss of an epoch, the mean error (a classifier's is the cross-entropy in nats; with
    its standard error) and the accuracy (a share, None without classes) on the validation split after it, the last learning rate, and
    the seconds it took.
    """

    epoch: int
    train_loss: float
    validation_loss: float
    validation_loss_error: float
    validation_accuracy: float | None
    learning_rate: float
    seconds: float


@dataclass(frozen=True)
class Standing:
    """What decides how a training goes on, besides tensors.

    ``identity`` is what must be equal to resume: model, data and recipe. The random generators are seeded anew for each epoch from
    the recipe's seed and the epoch's number, so that ``len(metrics)`` is their state. Schema history: 1, the first; 2, several
    optimizers.
    """

    identity: dict[str, str]
    metrics: tuple[EpochMetrics, ...]
    settings: dict[str, Any]
    schema: int = SCHEMA


@dataclass(frozen=True)
class Checkpoint:
    """`Standing` with tensors by name: ``model.*`` the weights, ``best.*`` those to export, and
    ``optimizer.<step>.<parameter>.*`` the optimizers' moments.
    """

    standing: Standing
    tensors: dict[str, Tensor]

    def group(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names start with `prefix` and a dot, by the rest of their names."""
        return {name.removeprefix(f"{prefix}."): value for name, value in self.tensors.items() if name.startswith(f"{prefix}.")}

    def save(self, file: Path) -> None:
        """Write the checkpoint under a temporary name, then rename it."""
        from safetensors.torch import save

        # A copy of each: safetensors refuses tensors that share memory or are not contiguous, as channels-last weights are.
        tensors = {name: value.detach().cpu().clone(memory_format=_contiguous()) for name, value in self.tensors.items()}
        write_file(file, save(tensors, metadata={"standing": msgspec.json.encode(self.standing).decode()}))

    @classmethod
    def load(cls, file: Path) -> Checkpoint:
        """Read a checkpoint; raises `ArtifactError` when it is missing, damaged or of another schema."""
        from safetensors import SafetensorError, safe_open

        if not file.is_file():
            raise ArtifactError(f"no checkpoint '{file}'", expected="the file that training writes after each epoch")
        try:
            with safe_open(file, framework="pt", device="cpu") as content:
                tensors = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118 - no mapping
                standing = msgspec.json.decode((content.metadata() or {})["standing"], type=Standing)
        except (SafetensorError, msgspec.DecodeError, KeyError, json.JSONDecodeError) as error:
            raise ArtifactError(
                f"'{file}' is no checkpoint of this trainer: {first_line(error)}", hint="train again with --overwrite"
            ) from error
        if standing.schema != SCHEMA:
            raise ArtifactError(
                f"'{file}' has another schema", expected=str(SCHEMA), got=str(standing.schema), hint="train again with --overwrite"
            )
        return cls(standing, tensors)


def _contiguous() -> Any:
    import torch

    return torch.contiguous_format
