"""What lies in a field bundle beside the artifacts' folders."""

from __future__ import annotations

from dataclasses import dataclass

CONTENTS, INPUTS, EXPECTED = "contents.json", "inputs.npz", "expected.npz"
SCHEMA = 1


@dataclass(frozen=True)
class Contents:
    """``contents.json``: ``reference`` is the ``content_sha256`` of the trained model, whose outputs on probes and samples are in
    ``expected.npz``; ``inputs.npz`` holds the samples, with their labels where there are some; ``max_drop`` is in points of the metric.

    Schema history: 1, the first.
    """

    model: str
    reference: str
    max_drop: float
    samples: str
    samples_sha256: str
    expected_sha256: str
    schema: int = SCHEMA
