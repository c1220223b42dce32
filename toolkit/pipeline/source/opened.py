"""What a command that measures may be given: a bundle, one of its artifacts, or whatever can be converted, in a bundle for that moment."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from toolkit.core import MANIFEST, Artifact, ArtifactError, Bundle
from toolkit.models import all_models

from ..data import Given
from .resolve import is_model, resolve_source, trained
from .sizing import Sizing

HOME = Path("artifacts")
"""Where bundles are, unless a user says otherwise."""


@dataclass(frozen=True)
class Opened:
    """What a source names.

    Args:
        bundle: with its trained model, unless an artifact was named.
        artifact: the one that was named; None for all of the bundle.
        kept: whether it is the user's own folder, and not one that is removed afterwards.
        sizing: what the user says of sizes and values.
        notes: what is other than the source's file says.
    """

    bundle: Bundle
    artifact: Artifact | None = None
    kept: bool = True
    sizing: Sizing = field(default_factory=Sizing)
    notes: tuple[str, ...] = ()

    @property
    def subject(self) -> Artifact:
        """The artifact that tells the inputs and the data: the one that was named, or the trained model."""
        return self.sized(self.artifact or trained(self.bundle))

    @property
    def example(self) -> Artifact:
        """As `subject`, or where a bundle has no trained model, as `toolkit embed` makes them, its first artifact: inputs are all that it
        has to tell.
        """
        try:
            return self.subject
        except ArtifactError:
            return self.sized(next(iter(self.bundle)))

    def sized(self, artifact: Artifact) -> Artifact:
        """An artifact with what the user says of sizes; raises `InputError` for names that it does not have."""
        if self.sizing == Sizing() or not self.kept:
            return artifact
        own = artifact.manifest
        return replace(artifact, manifest=replace(own, signature=self.sizing.applied(own.signature, of=artifact.name)))

    @property
    def single(self) -> Artifact:
        """The artifact that was named, or the one that was made for the moment; raises `ArtifactError` for a bundle, with its artifacts."""
        return self.sized(self.artifact or (Artifact.load(self.bundle.path) if self.kept else trained(self.bundle)))


@contextmanager
def opened(
    text: str,
    *,
    weights: Path | None = None,
    data: str | Given | None = None,
    inputs: Sequence[str] = (),
    sizing: Sizing | None = None,
) -> Iterator[Opened]:
    """What `text` names: an artifact's folder, a bundle, a reference model, or anything that `resolve_source` takes.

    `sizing` is what the user says of sizes and values. What is no artifact yet becomes one in a folder that is gone after the block. Raises
    as `resolve_source`.
    """
    path = Path(text)
    if (path / MANIFEST).is_file():
        path = path.resolve()  # Also for the folder that a user is in; its bundle names it by the same path.
        yield Opened(Bundle.load(path.parent), Artifact.load(path), sizing=sizing or Sizing())
    elif path.is_dir() and not is_model(path):
        yield Opened(Bundle.load(path), sizing=sizing or Sizing())
    else:
        with tempfile.TemporaryDirectory(prefix="toolkit-") as folder:
            own = weights is None and text in {model.name for model in all_models()}
            found = resolve_source(text, out=HOME if own else Path(folder), weights=weights, data=data, inputs=inputs, sizing=sizing)
            yield Opened(Bundle.load(found.place().path.parent), kept=own, sizing=sizing or Sizing(), notes=found.notes)
