"""The smallest thing that shows a fault: the part of the network between the last right values and the first wrong one."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .align import Alignment, Pair

_NEW = "\n"


def write_reproduction(alignment: Alignment, pair: Pair, folder: Path) -> list[str]:
    """Write the part of the candidate that computes `pair` as a model file into the new `folder`, with ``inputs.npz``, ``expected.npz`` and
    a script of five lines; what is to be said about it.
    """
    folder.mkdir()
    sources = alignment.boundary(pair.candidate)
    values = dict(zip(alignment.candidate.inputs, alignment.rounds[0], strict=True))
    for name in (*sources, pair.candidate):
        if name in alignment.pairs:
            each = alignment.pairs[name]
            values[name] = each.layout.to_candidate(alignment.known[each.reference][0])
    cut = alignment.candidate.cut(sources, pair.candidate, values, folder)
    np.savez(folder / "inputs.npz", allow_pickle=False, **cut.inputs)
    np.savez(folder / "expected.npz", allow_pickle=False, expected=cut.expected)
    first, opened, run = cut.lines
    script = (
        first,
        'inputs, expected = numpy.load("inputs.npz"), numpy.load("expected.npz")["expected"]',
        opened,
        run,
        'print("largest error:", abs(got.astype("float64") - expected).max(), "largest value:", abs(expected.astype("float64")).max())',
    )
    (folder / "run.py").write_text(_NEW.join(script) + _NEW)
    return [cut.note] if cut.note else []
