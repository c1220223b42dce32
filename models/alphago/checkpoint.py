"""Where learning by self-play stands, in one safetensors file that appears whole or not at all: tensors, and JSON as strings. No pickle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from toolkit.core import ArtifactError, InputError, Interval, first_line, needs, write_file

from .learner import Learner
from .replay import Replay

SCHEMA = 1
CHECKPOINT = "checkpoint.safetensors"
WEIGHTS = "weights.safetensors"
"""The average alone, where no artifact is made of it: what plays."""


@dataclass(frozen=True)
class Rated:
    """A match of this generation's net against the one of generation ``against``, and its Elo against the first net of the run."""

    against: int
    lost: int
    drawn: int
    won: int
    elo: Interval


@dataclass(frozen=True)
class Generation:
    """One line of ``metrics.jsonl``: what one round of self-play, training and conversion did.

    ``seconds_tree`` and ``seconds_net`` are sums over the processes, the others wall-clock. ``seconds_overlapped`` are those of training
    while games were played, which are in ``seconds_selfplay``. ``rated`` is None in most rounds.
    """

    generation: int
    games: int
    positions: int
    moves_a_game: float
    first_wins: float
    resigned: float
    false_resignations: int
    never_resigned: int
    evaluations: int
    cached: int
    policy_loss: float
    value_loss: float
    target_entropy: float
    steps: int
    parity: str
    seconds_selfplay: float
    seconds_tree: float
    seconds_net: float
    seconds_training: float
    seconds_conversion: float
    seconds_rating: float = 0.0
    seconds_overlapped: float = 0.0
    rated: Rated | None = None


@dataclass(frozen=True)
class Standing:
    """What decides how learning goes on, besides tensors. ``identity`` must be equal to resume. Schema history: 1, the first."""

    identity: dict[str, str]
    generations: tuple[Generation, ...]
    random: dict[str, Any]
    replay_total: int
    learner_steps: int
    seconds: float
    schema: int = SCHEMA


def save(file: Path, *, standing: Standing, learner: Learner, replay: Replay) -> None:
    """Write weights, optimizer, replay window and `standing` under a temporary name, then rename it."""
    with needs("train"):
        from safetensors.torch import save as encode
        from torch import contiguous_format, from_numpy

    tensors = {name: tensor.detach().cpu().clone(memory_format=contiguous_format) for name, tensor in learner.state().items()}
    tensors |= {f"replay.{name}": from_numpy(np.ascontiguousarray(array)) for name, array in replay.arrays.items()}
    write_file(file, encode(tensors, metadata={"standing": msgspec.json.encode(standing).decode()}))


def load(file: Path, *, identity: Mapping[str, str], learner: Learner, replay: Replay) -> Standing:
    """Restore `learner` and `replay` and return how things stood.

    Raises:
        ArtifactError: a damaged file.
        InputError: the checkpoint of another run.
    """
    standing, tensors = _read(file)
    different = [f"{key}: {standing.identity.get(key)}" for key, value in identity.items() if standing.identity.get(key) != value]
    if different:
        raise InputError(
            "the checkpoint is of another run", expected=", ".join(f"{k}: {v}" for k, v in identity.items()), got="; ".join(different)
        )
    learner.restore({n: t for n, t in tensors.items() if not n.startswith("replay.")}, steps=standing.learner_steps)
    replay.arrays = {name: tensors[f"replay.{name}"].numpy() for name in replay.arrays}
    replay.total = standing.replay_total
    return standing


def save_weights(file: Path, learner: Learner) -> None:
    """Write the moving average of the weights, all that a net needs to play."""
    with needs("train"):
        from safetensors.torch import save as encode
        from torch import contiguous_format

    average = learner.average.state_dict().items()
    write_file(file, encode({name: tensor.cpu().clone(memory_format=contiguous_format) for name, tensor in average}))


def load_weights(file: Path, learner: Learner) -> None:
    """Begin with the weights that another run has learned; its board may have another size, its net must be the same.

    Raises:
        ArtifactError: a damaged file.
        InputError: the checkpoint of another net.
    """
    _, tensors = _read(file)
    learner.restore({name: tensor for name, tensor in tensors.items() if name.startswith(("net.", "average."))}, steps=0)


def _read(file: Path) -> tuple[Standing, dict[str, Any]]:
    with needs("train"):
        from safetensors import SafetensorError, safe_open
    try:
        with safe_open(file, framework="pt", device="cpu") as content:
            standing = msgspec.json.decode((content.metadata() or {}).get("standing", ""), type=Standing)
            tensors = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118 - it is no mapping
    except (OSError, SafetensorError, msgspec.DecodeError) as error:
        raise ArtifactError(f"'{file}' is no checkpoint of self-play: {first_line(error)}", hint="start anew in another folder") from error
    if standing.schema != SCHEMA:
        raise ArtifactError(f"'{file}' has another schema", expected=str(SCHEMA), got=str(standing.schema))
    return standing, tensors
