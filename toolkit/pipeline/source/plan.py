"""How samples are divided, and whether they are enough: told before the work begins."""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.core import Samples, Signature, confirmable_drop, needed_samples, points, scores_classes

from .samples import Split


@dataclass(frozen=True, kw_only=True)
class SamplePlan:
    """How the samples of ``origin`` are used.

    Args:
        origin: their file or data set.
        calibration: rows that fix integer ranges.
        choice: rows that choose which layers stay in float; 0 where none are chosen.
        evaluation: rows that verify the result.
        metric: what the verdict on integers is about; empty for networks without class scores and random inputs.
        max_drop: what that may lose in points; None where nothing is in integers.
        max_drop_of: the bundle that remembers that limit; empty where the user or the default says it.
        needed: rows that confirm at most this drop where no answer differs; None where no metric or no number of rows does.
        notes: what was made of the file's arrays, and what of them is not used.
    """

    origin: str
    calibration: int
    choice: int
    evaluation: int
    metric: str
    max_drop: float | None
    max_drop_of: str
    needed: int | None
    notes: tuple[str, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """The plan in words, a line each, which begins with ``samples``."""
        parts = [(self.calibration, "calibrate"), (self.choice, "choose layers"), (self.evaluation, f"verify{self._by}")]
        told = [f"samples of {self.origin}: {', '.join(f'{count:,} {what}' for count, what in parts if count)}"]
        limit = [self._limit] if self.metric and self.max_drop is not None else []
        return (*told, *(f"samples: {line}" for line in (*limit, *self.notes)))

    @property
    def _by(self) -> str:
        return f" by {self.metric}" if self.metric else ""

    @property
    def _limit_of(self) -> str:
        return f", the limit of {self.max_drop_of}," if self.max_drop_of else ""

    @property
    def _limit(self) -> str:
        assert self.max_drop is not None
        limit, rows = f"a drop of at most {points(self.max_drop)}{self._limit_of}", min(self.choice or self.evaluation, self.evaluation)
        if self.needed is None:
            return f"{limit} cannot be confirmed by any number of samples: raise --max-drop"
        takes = f"to confirm {limit} takes about {self.needed:,} where no answer differs, more where some do"
        few = f"; add samples, or with these {rows:,} --max-drop {confirmable_drop(rows):g}"
        return f"{takes}{few if rows < self.needed else ''}"


def plan_samples(
    split: Split, signature: Signature, *, max_drop: float | None = None, max_drop_of: str = "", choice: Samples | None = None
) -> SamplePlan:
    """The plan for a network with this signature; with `max_drop` where something is in integers, `choice` where layers are chosen."""
    samples = split.evaluation
    scores = scores_classes(signature) and not samples.drawn
    unused = samples.targets is not None and not scores
    return SamplePlan(
        origin=samples.origin,
        calibration=0 if samples.drawn else len(split.calibration),
        choice=0 if choice is None else len(choice),
        evaluation=len(samples),
        metric="" if not scores else "top-1 agreement" if samples.targets is None else "accuracy",
        max_drop=max_drop,
        max_drop_of="" if max_drop is None else max_drop_of,
        needed=needed_samples(max_drop) if scores and max_drop is not None else None,
        notes=(*samples.notes, *(["targets are not used: the first output is no row of class scores"] if unused else [])),
    )
