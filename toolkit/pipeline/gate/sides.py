"""What a user names as the new model and as its baseline: a bundle, one of its artifacts, or a packed bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.core import MANIFEST, Artifact, Bundle, InputError, Samples, UnknownNameError
from toolkit.tasks import Limits

from ..bundle import unpacked
from ..data import Given
from ..source.remembered import limits_for
from ..source.resolve import current, trained
from ..source.samples import split_samples


@dataclass(frozen=True)
class Side:
    """One of two models.

    Args:
        name: what the user named.
        artifacts: by their names.
        start: what a bundle's samples are those of; None of a packed one.
        samples: real inputs that travelled along; None where none did.
        limits: by what it is judged, as it was made with.
        single: whether the user named one artifact.
    """

    name: str
    artifacts: Mapping[str, Artifact]
    start: Artifact | None
    samples: Samples | None
    limits: Limits
    single: bool = False

    @classmethod
    def of(cls, path: Path, folder: Path) -> Side:
        """Open `path`; a packed bundle is unpacked into `folder`.

        Raises:
            ArtifactError: there is nothing, or it was changed.
        """
        if (path / MANIFEST).is_file():
            artifact = Artifact.load(path)
            return cls(str(path), {artifact.name: artifact}, artifact, None, limits_for(Limits(), path.parent)[0], single=True)
        if path.is_file():
            folder.mkdir()
            contents, samples = unpacked(path, folder)
            return cls(str(path), _loaded(Bundle.load(folder)), None, samples, contents.limits)
        bundle = Bundle.load(path)
        return cls(str(path), _loaded(current(bundle)), trained(bundle), None, limits_for(Limits(), path)[0])


def _loaded(artifacts: Bundle | Sequence[Artifact]) -> dict[str, Artifact]:
    return {each.name: Artifact.load(each.path) for each in artifacts}


def common(new: Side, baseline: Side, names: Sequence[str]) -> tuple[str, ...]:
    """The artifacts to compare: `names`, or the new one where it is a single one, or all of the baseline.

    Raises:
        UnknownNameError: one of `names` is not in both.
        InputError: nothing is in both.
    """
    both = [name for name in baseline.artifacts if name in new.artifacts]
    for name in names:
        if name not in both:
            raise UnknownNameError("artifact", name, both, hint="it must be in the new model and in its baseline")
    if not both:
        raise InputError(
            f"'{new.name}' and '{baseline.name}' have no artifact in common",
            expected=f"one of {', '.join(baseline.artifacts)}",
            got=", ".join(new.artifacts) or "nothing",
        )
    return tuple(names) or tuple(new.artifacts if new.single else baseline.artifacts)


def samples_of(new: Side, baseline: Side, data: Given | None, *, folder: Path | None, evaluation: int | None, limits: Limits) -> Samples:
    """The samples `data`, or those that travelled with the baseline, or with the new model, or that a bundle remembers; random ones where
    there are none.
    """
    travelled = next((side.samples for side in (baseline, new) if side.samples is not None), None)
    if data is None and travelled is not None:
        return travelled.rows(slice(evaluation))
    start = baseline.start or new.start or next(iter(baseline.artifacts.values()))
    return split_samples(start, data, folder=folder, evaluation=evaluation, only_judged=True, may_draw=True, limits=limits).evaluation
