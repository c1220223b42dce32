"""What several files of one recipe answer, each for rows of its own, judged as one candidate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from toolkit.core import Samples, Signature
from toolkit.core.mapped import chunks, gathered

from .observe import Observation
from .probes import batch_sizes


@dataclass(frozen=True)
class Part:
    """Some rows, and what was observed on them.

    Args:
        candidate: whoever answers for the candidate.
        reference: the same rows as the reference sees them.
        samples: the rows.
    """

    candidate: Observation
    reference: Observation
    samples: Samples


def whole_batches(samples: Samples, *signatures: Signature) -> Samples:
    """The first rows of `samples`, as many as networks with all these signatures answer: of a fixed batch, whole ones."""
    fixed = [batch_sizes(signature, samples)[0] for signature in signatures if not signature.has_free_batch]
    return samples.rows(slice(min((len(samples) // batch * batch for batch in fixed), default=len(samples))))


def pooled(parts: Sequence[Part]) -> Part:
    """The rows of all parts behind each other, row by row with the answers to them; probes are those of the first part.

    Both observations of a part are cut to the rows that both have, so that the parts stay aligned. An output whose first dimension is not
    the batch keeps those parts that have the first one's shape, as within a part.
    """
    cut = [_cut(part) for part in parts]
    candidate, reference = (_joined([each[side] for each in cut]) for side in (0, 1))
    problem = next((part.candidate.problem for part in parts if part.candidate.problem), "")
    return Part(replace(candidate, problem=problem), reference, _samples([part.samples for part in parts]))


def _cut(part: Part) -> tuple[Observation, Observation]:
    own, other = part.candidate.samples, part.reference.samples
    rows = {name: min(len(own[name]), len(other[name])) for name in own if name in other}
    first, second = ({name: array[: rows.get(name)] for name, array in side.items()} for side in (own, other))
    return replace(part.candidate, samples=first), replace(part.reference, samples=second)


def _joined(observed: Sequence[Observation]) -> Observation:
    first, outputs = observed[0], {}
    for name, array in first.samples.items():
        arrays = [each.samples[name] for each in observed if name in each.samples]
        outputs[name] = _rows([other for other in arrays if other.shape[1:] == array.shape[1:]])
    return replace(first, samples=outputs)


def _samples(parts: Sequence[Samples]) -> Samples:
    first = parts[0]
    inputs = {name: _rows([part.inputs[name] for part in parts]) for name in first.inputs}
    targets = None if first.targets is None else _rows([part.targets for part in parts if part.targets is not None])
    return replace(first, inputs=inputs, targets=targets)


def _rows(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Behind each other, in a file where they are large."""
    return gathered(part for array in arrays for part in chunks(array))
