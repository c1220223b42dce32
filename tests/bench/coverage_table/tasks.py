"""What runs in processes of their own, because a native library may crash or never end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import Artifact, Samples
from toolkit.runtimes import open_session
from toolkit.runtimes.base import Session

from .architectures import find
from .raw import reach


def make_task(payload: dict[str, Any]) -> str:
    """Make the source file of the architecture ``name`` in ``folder``, with ``samples.npz`` beside it."""
    architecture, folder = find(payload["name"]), Path(payload["folder"])
    file, samples = architecture.make(folder, architecture.size)
    samples.save(folder / "samples.npz")
    return str(file)


def raw_task(payload: dict[str, Any]) -> str:
    """`reach` for the file ``source`` and the format ``target``."""
    return reach(Path(payload["source"]), payload["target"], Samples.load(Path(payload["samples"])).inputs)


def agreement_task(payload: dict[str, Any]) -> list[float]:
    """The share of equal choices of two artifacts, and how many choices there are.

    A choice is the largest entry along the last axis of the first output that has floating-point numbers and more than one entry there.
    """
    first, second = (Artifact.load(Path(payload[key])) for key in ("reference", "candidate"))
    samples = Samples.load(Path(payload["samples"])).fit(first.manifest.signature)
    specs = first.manifest.signature.outputs
    scores = [spec.name for spec in specs if spec.dtype.startswith("float") and spec.shape and spec.shape[-1] != 1]
    if not scores:
        return [0.0, 0]
    with open_session(first) as one, open_session(second) as other:
        pairs = [(run(one, samples, rows, scores[0]), run(other, samples, rows, scores[0])) for rows in _chunks(one, len(samples))]
    same = np.concatenate([(a.argmax(-1) == b.argmax(-1)).ravel() for a, b in pairs])
    return [float(same.mean()), same.size]


def run(session: Session, samples: Samples, rows: slice, output: str) -> np.ndarray:
    """One output of a session for some of the samples."""
    inputs = [np.ascontiguousarray(samples.inputs[spec.name][rows]) for spec in session.signature.inputs]
    return session.run(inputs)[output]


def _chunks(session: Session, count: int) -> list[slice]:
    fixed = [spec.shape[0] for spec in session.signature.inputs if spec.shape and isinstance(spec.shape[0], int)]
    step = fixed[0] if fixed else 32
    return [slice(start, start + step) for start in range(0, count - step + 1 if fixed else count, step)]
