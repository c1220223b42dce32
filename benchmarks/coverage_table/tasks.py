"""What runs in processes of their own, because a native library may crash or never end."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.coverage_table.architectures import find
from benchmarks.coverage_table.raw import reach
from toolkit.converters.complex_numbers import has_complex
from toolkit.converters.pt2 import flat_module, load_program
from toolkit.converters.rewrites import average_whole_images, concatenate_repeats
from toolkit.core import Artifact, Samples, ToolkitError
from toolkit.runtimes import open_session
from toolkit.runtimes.base import Session


def make_task(payload: dict[str, Any]) -> str:
    """Make the source file of the architecture ``name`` in ``folder``, with ``samples.npz`` beside it."""
    architecture, folder = find(payload["name"]), Path(payload["folder"])
    file, samples = architecture.make(folder, architecture.size)
    samples.save(folder / "samples.npz")
    return str(file)


def raw_task(payload: dict[str, Any]) -> dict[str, str]:
    """`reach` for the file ``source`` and each of the formats ``targets``: why it is not reached, empty where it is.

    The formats ``passed`` have been reached from the program as the converters leave it: where they change nothing, that is the raw one.
    """
    source, samples = Path(payload["source"]), Samples.load(Path(payload["samples"])).inputs
    shown = [] if payload["passed"] and is_rewritten(source) else payload["passed"]
    reasons = {}
    for target in payload["targets"]:
        try:
            reasons[target] = "" if target in shown else reach(source, target, samples)
        except Exception as error:
            reasons[target] = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    return reasons


def is_rewritten(source: Path) -> bool:
    """Whether the converters change the program in `source` before they hand it to an exporter."""
    program = load_program(source)
    flat = flat_module(program)
    before = str(flat.code)
    for rewrite in (concatenate_repeats, average_whole_images):
        rewrite(flat)
    return has_complex(program) or str(flat.code) != before


def agreement_task(payload: dict[str, Any]) -> dict[str, list[float]]:
    """For each of the artifacts ``candidates`` the share of choices that are those of ``reference``, and how many choices there are.

    A choice is the largest entry along the last axis with more than one, of the first output of floating-point numbers that has such a one.
    """
    reference = Artifact.load(Path(payload["reference"]))
    signature = reference.manifest.signature
    samples = Samples.load(Path(payload["samples"])).fit(signature)
    scores = [spec.name for spec in signature.outputs if spec.dtype.startswith("float") and set(spec.shape[1:]) - {1}]
    if not scores:
        return {candidate: [0.0, 0] for candidate in payload["candidates"]}
    exact = choices(reference, samples, scores[0])
    found: dict[str, list[float]] = {}
    for candidate in payload["candidates"]:
        # What an engine refuses, the parity of its cell says.
        with contextlib.suppress(ToolkitError):
            found[candidate] = [float((choices(Artifact.load(Path(candidate)), samples, scores[0]) == exact).mean()), exact.size]
    return found


def choices(artifact: Artifact, samples: Samples, output: str) -> np.ndarray:
    """Where the largest entry of each row of an output is, over whole batches of the samples."""
    with open_session(artifact) as session:
        return np.concatenate([_largest(run(session, samples, rows, output)) for rows in _chunks(session, len(samples))])


def _largest(scores: np.ndarray) -> np.ndarray:
    while scores.shape[-1] == 1:
        scores = scores[..., 0]
    return np.asarray(scores.argmax(-1)).ravel()


def run(session: Session, samples: Samples, rows: slice, output: str) -> np.ndarray:
    """One output of a session for some of the samples."""
    inputs = [np.ascontiguousarray(samples.inputs[spec.name][rows]) for spec in session.signature.inputs]
    return session.run(inputs)[output]


def _chunks(session: Session, count: int) -> list[slice]:
    fixed = [spec.shape[0] for spec in session.signature.inputs if spec.shape and isinstance(spec.shape[0], int)]
    step = fixed[0] if fixed else 32
    return [slice(start, start + step) for start in range(0, count - step + 1 if fixed else count, step)]
