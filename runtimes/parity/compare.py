"""How far a candidate's output is from its reference."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

import numpy as np

from toolkit.core import TOLERANCE, PartError, TensorError
from toolkit.core.channels import channel_groups
from toolkit.core.decibels import Powers
from toolkit.core.mapped import parts_of

# Evidence is stored as JSON, which has no infinity: written as null, it would make the manifest unreadable.
_HUGE = sys.float_info.max
_LIMIT_DB = 10_000.0


def compare(output: str, pairs: Sequence[tuple[np.ndarray, np.ndarray]], *, scores: bool = False) -> TensorError:
    """Compare one output over several (reference, candidate) pairs of equal shape, a few rows at a time.

    Within tolerance means within ``TOLERANCE``, that of fp32, everywhere. Values that are not finite in the candidate make ``finite``
    False, whatever the reference has; the errors are then the largest float.

    Args:
        scores: whether it is rows of class scores; top-1 agreement is then given where it is ``[N, C]`` with at least two columns.
    """
    if not all(np.isfinite(part).all() for pair in pairs for parts in parts_of(*pair) for part in parts):
        return TensorError(output, _HUGE, _HUGE, None, 0.0, None, within_tolerance=False, finite=False)
    max_abs = max_rel = shared = own = 0.0
    within, powers = True, Powers()
    for pair in pairs:
        for parts in parts_of(*pair):
            reference, candidate = (np.asarray(part, dtype=np.float64).ravel() for part in parts)
            error, scale = np.abs(candidate - reference), np.abs(reference)
            max_abs = max(max_abs, float(error.max(initial=0.0)))
            max_rel = max(max_rel, float(np.max(error / np.maximum(scale, 1e-6), initial=0.0)))
            within &= bool(np.all(error <= TOLERANCE.atol + TOLERANCE.rtol * scale))
            powers += Powers.of([reference], [candidate])
            shared, own = shared + float(reference @ candidate), own + float(candidate @ candidate)
    norms = math.sqrt(powers.signal) * math.sqrt(own)
    return TensorError(
        output=output,
        max_abs=max_abs,
        max_rel=max_rel,
        sqnr_db=None if powers.noise == 0.0 else powers.ratio_db(limit_db=_LIMIT_DB),
        cosine=shared / norms if norms else float(powers.noise == 0.0),
        top1_agreement=top1_agreement(pairs) if scores else None,
        within_tolerance=within,
        rows=sum(len(r) if np.ndim(r) else 1 for r, _ in pairs),
        parts=_parts(pairs),
    )


def _parts(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[PartError, ...]:
    """Each group of channels that has a range of its own in the reference."""
    groups = channel_groups(part for r, _ in pairs for (part,) in parts_of(r))
    powers, largest = [Powers() for _ in groups], [0.0 for _ in groups]
    for pair in pairs if groups else ():
        for reference, candidate in parts_of(*pair):
            for place, group in enumerate(groups):
                r, c = group.of(reference).astype(np.float64), group.of(candidate).astype(np.float64)
                powers[place] += Powers.of([r], [c])
                largest[place] = max(largest[place], float(np.abs(r - c).max(initial=0.0)))
    ratios = [None if power.noise == 0.0 else power.ratio_db(limit_db=_LIMIT_DB) for power in powers]
    return tuple(PartError(str(group), group.range, most, ratio) for group, most, ratio in zip(groups, largest, ratios, strict=True))


def top1_agreement(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> float | None:
    """The share of rows whose largest entry is at the same place; None for outputs that are no rows of scores."""
    if any(r.ndim != 2 or r.shape[1] < 2 for r, _ in pairs):
        return None
    same = np.concatenate([r.argmax(axis=1) == c.argmax(axis=1) for pair in pairs for r, c in parts_of(*pair)])
    return float(same.mean())
