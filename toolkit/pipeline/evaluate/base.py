"""What every evaluation has: figures, words for them, tables and pictures; and the run that they come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import Artifact, DataError, EngineError, Samples
from toolkit.core.mapped import chunks
from toolkit.core.tables import html_table
from toolkit.models.data import all_data
from toolkit.runtimes.parity import Observation, observe

from ..verify import default_engine
from .drawing import Picture


@dataclass(frozen=True)
class EvaluatedRun:
    """Which artifact answered where, and on what; ``arithmetic`` says what it stores and in what the engine computed."""

    artifact: str
    model: str
    engine: str
    device: str
    arithmetic: str
    data: str
    samples: int


@dataclass(frozen=True)
class Table:
    """Rows of words under a head; the first column is the rows' names, or with ``prose`` whole sentences."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    prose: bool = False


@dataclass(frozen=True)
class Evaluation:
    """How good one artifact is: ``figures`` is a dataclass of the kind's own numbers, ``facts`` the chief ones in words."""

    run: EvaluatedRun
    figures: Any
    facts: tuple[tuple[str, str], ...]
    tables: tuple[Table, ...]
    draw: Callable[[], list[Picture]]

    def _repr_html_(self) -> str:
        run = self.run
        title = f"{run.model} {run.artifact} in {run.engine} on {run.device}: {run.samples:,} samples of {run.data}"
        return html_table(title, ("", ""), self.facts)


@dataclass(frozen=True)
class Answers:
    """What an engine said: ``outputs`` by name for each row of ``samples``."""

    run: EvaluatedRun
    samples: Samples
    outputs: dict[str, np.ndarray]


def answers_of(artifact: Artifact, samples: Samples, *, engine: str | None = None, device: str = "cpu", log: Path | None = None) -> Answers:
    """Evaluate an artifact over samples in a process of its own.

    Raises:
        DataError: no samples.
        EngineError: the engine failed, or gave NaN or infinity.
    """
    if not len(samples):
        raise DataError(f"samples '{samples.origin}' are empty", hint="give at least one sample")
    seen: Observation = observe(artifact, engine or default_engine(artifact), samples, device=device, log=log)
    if seen.problem or seen.actual is None:
        raise EngineError(f"'{artifact.name}' gave no answers", got=seen.problem)
    if not all(np.isfinite(part).all() for output in seen.samples.values() for part in chunks(output)):
        raise EngineError(f"'{artifact.name}' gave NaN or infinity", hint="run: toolkit verify")
    # A file with a fixed batch answers whole batches only.
    rows = min(len(output) for output in seen.samples.values())
    actual = seen.actual
    run = EvaluatedRun(artifact.name, artifact.manifest.model, actual.engine, actual.device, actual.arithmetic, samples.origin, rows)
    return Answers(run, samples.rows(slice(0, rows)), seen.samples)


def labels_of(artifact: Artifact) -> tuple[str, ...]:
    """The classes that the artifact answers with, or else those of the data that it was trained on; empty where nobody knows."""
    if artifact.manifest.labels:
        return artifact.manifest.labels
    known = {data.name: data for data in all_data()}
    return known[artifact.manifest.data].labels if artifact.manifest.data in known else ()


def pixels_of(images: np.ndarray, artifact: Artifact, *, like: tuple[float, float] | None = None) -> np.ndarray | None:
    """Prepared images as pictures; None for anything else.

    Args:
        images: ``[N, C, H, W]``.
        artifact: says how they were prepared.
        like: what is black and what is white where that is not said, so that images beside each other are seen by one scale; their
            own extremes by default.

    Returns:
        ``[N, H, W]`` or ``[N, H, W, 3]`` in [0, 1].
    """
    if images.ndim != 4 or images.shape[1] not in {1, 3}:
        return None
    preprocessing = artifact.manifest.preprocessing
    mean, std = (np.zeros(1), np.ones(1)) if preprocessing is None else (np.array(preprocessing.mean), np.array(preprocessing.std))
    raw = images * std[None, :, None, None] + mean[None, :, None, None]
    if preprocessing is not None and preprocessing.size and preprocessing.scale:  # Of pixels from 0 to 255.
        raw = (raw[:, ::-1] if preprocessing.channels == "bgr" else raw) / (255 * preprocessing.scale)
    if preprocessing is None:
        low, high = like or (float(raw.min()), float(raw.max()))
        raw = (raw - low) / max(high - low, 1e-12)
    shown: np.ndarray = np.clip(np.moveaxis(raw, 1, -1), 0, 1)
    return shown[..., 0] if shown.shape[-1] == 1 else shown
