"""How far a candidate's output is from its reference."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np

from toolkit.core import TOLERANCE, PartError, TensorError
from toolkit.core.channels import channel_groups
from toolkit.core.decibels import Powers

# Evidence is stored as JSON, which has no infinity: written as null, it would make the manifest unreadable.
_HUGE = sys.float_info.max
_LIMIT_DB = 10_000.0


def compare(output: str, pairs: Sequence[tuple[np.ndarray, np.ndarray]], *, scores: bool = False) -> TensorError:
    """Compare one output over several (reference, candidate) pairs of equal shape.

    Within tolerance means within ``TOLERANCE``, that of fp32, everywhere. Values that are not finite in the candidate make ``finite``
    False, whatever the reference has; the errors are then the largest float.

    Args:
        scores: whether it is rows of class scores; top-1 agreement is then given where it is ``[N, C]`` with at least two columns.
    """
    reference = np.concatenate([np.asarray(r, dtype=np.float64).ravel() for r, _ in pairs])
    candidate = np.concatenate([np.asarray(c, dtype=np.float64).ravel() for _, c in pairs])
    finite = bool(np.isfinite(candidate).all() and np.isfinite(reference).all())
    if not finite:
        return TensorError(output, _HUGE, _HUGE, None, 0.0, None, within_tolerance=False, finite=False)
    error = np.abs(candidate - reference)
    scale = np.abs(reference)
    powers = Powers.of([reference], [candidate])
    norms = float(np.linalg.norm(reference) * np.linalg.norm(candidate))
    return TensorError(
        output=output,
        max_abs=float(error.max(initial=0.0)),
        max_rel=float(np.max(error / np.maximum(scale, 1e-6), initial=0.0)),
        sqnr_db=None if powers.noise == 0.0 else powers.ratio_db(limit_db=_LIMIT_DB),
        cosine=float(reference @ candidate) / norms if norms else float(powers.noise == 0.0),
        top1_agreement=top1_agreement(pairs) if scores else None,
        within_tolerance=bool(np.all(error <= TOLERANCE.atol + TOLERANCE.rtol * scale)),
        rows=sum(len(r) if np.ndim(r) else 1 for r, _ in pairs),
        parts=_parts(pairs),
    )


def _parts(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[PartError, ...]:
    """Each group of channels that has a range of its own in the reference."""
    found = []
    for group in channel_groups(r for r, _ in pairs):
        own = [(group.of(r).astype(np.float64), group.of(c).astype(np.float64)) for r, c in pairs]
        powers = Powers.of([r for r, _ in own], [c for _, c in own])
        ratio = None if powers.noise == 0.0 else powers.ratio_db(limit_db=_LIMIT_DB)
        found.append(PartError(str(group), group.range, max(float(np.abs(r - c).max(initial=0.0)) for r, c in own), ratio))
    return tuple(found)


def top1_agreement(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> float | None:
    """The share of rows whose largest entry is at the same place; None for outputs that are no rows of scores."""
    if any(r.ndim != 2 or r.shape[1] < 2 for r, _ in pairs):
        return None
    same = np.concatenate([r.argmax(axis=1) == c.argmax(axis=1) for r, c in pairs])
    return float(same.mean())
