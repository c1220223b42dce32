"""Rows that calibrated an artifact count too: a twin of the same recipe, which as many other rows calibrated, answers for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from toolkit.core import Artifact, InputError, Samples

from .source.samples import Split


@dataclass(frozen=True)
class Folds:
    """What a `Verifier` needs to judge by the rows that calibrated.

    Args:
        samples: the rows that fixed integer ranges.
        twins: the twin of an artifact by that one's ``content_sha256``.
        missing: why there is none, for the others.
    """

    samples: Samples
    twins: Mapping[str, Artifact] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)

    def who_answers(self, artifact: Artifact) -> Artifact | None:
        """Who may be asked for the rows: an artifact that nothing calibrated itself, else its twin; None where it has none."""
        return artifact if artifact.manifest.calibration is None else self.twins.get(artifact.manifest.content_sha256)


def check_folds(split: Split) -> None:
    """Raise `InputError` where the rows that calibrate must not verify, or there are no others that could calibrate a twin."""
    if split.twin is None or not len(split.twin):
        why = "random inputs" if split.evaluation.drawn else split.evaluation.origin
        raise InputError(
            "--folds",
            expected="rows of one .npz or .npy file, of which a fifth calibrates and as many others can calibrate a twin",
            got=f"{why}: what calibrates there is apart from what verifies",
            hint="leave it out, or name a file: --data samples.npz",
        )


def words(artifact: Artifact, folds: Folds, *, rows: int, of: int) -> str:
    """What evidence says of how many rows a twin answered, of all that were judged; nothing where the artifact answered itself."""
    if artifact.manifest.calibration is None:
        return ""
    if rows:
        return f"{rows} of the {of} rows by a twin that other rows calibrated"
    content = artifact.manifest.content_sha256
    why = "they fill no batch of it" if content in folds.twins else folds.missing.get(content) or "it was not made"
    return f"no twin answers for the rows that calibrated: {why}"
