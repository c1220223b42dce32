"""What lies in a field bundle beside the artifacts' folders."""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.tasks import Limits

CONTENTS, INPUTS, EXPECTED = "contents.json", "inputs.npz", "expected.npz"
SCHEMA = 1


@dataclass(frozen=True)
class Contents:
    """``contents.json``: ``reference`` is the ``content_sha256`` of the trained model, whose outputs on probes and samples are in
    ``expected.npz``; ``inputs.npz`` holds the samples, with their targets where there are some; ``max_drop``, ``relative``, ``task`` and
    ``metric`` are those of `Limits`.

    Schema history: 1, the first.
    """

    model: str
    reference: str
    max_drop: float
    samples: str
    samples_sha256: str
    expected_sha256: str
    relative: bool | None = None
    task: str = ""
    metric: str = ""
    schema: int = SCHEMA

    @property
    def limits(self) -> Limits:
        """By what the artifacts are judged."""
        return Limits(self.max_drop, self.relative, self.task, self.metric)
