"""How samples are divided, and whether they are enough: told before the work begins."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from toolkit.core import POINTS, Manifest, Samples, confirmable_drop, needed_samples, points
from toolkit.tasks import Limits, is_users, task_for

from .samples import Split


@dataclass(frozen=True, kw_only=True)
class SamplePlan:
    """How the samples of ``origin`` are used.

    Args:
        origin: their file or data set.
        calibration: rows that fix integer ranges.
        choice: rows that choose which layers stay in float; 0 where none are chosen.
        among: whether those are among the rows of ``evaluation``, which verify together what they did not choose.
        evaluation: rows that verify the result, without those of folds.
        folds: rows that calibrate and verify too, through twins; 0 without folds.
        may_fold: rows that could.
        metric: what the verdict is about; empty where nothing says what outputs mean, and for random inputs.
        max_drop: what that may lose, in points of a share; None where nothing is in integers.
        max_drop_of: the bundle that remembers that limit; empty where the user or the default says it.
        needed: rows that confirm the limit where no answer differs; None for what is no share, and where no number of rows does.
        confirmable: the smallest drop in points that the rows can confirm; None for what is no share.
        notes: what was made of the file's arrays, and what of them is not used.
    """

    origin: str
    calibration: int
    choice: int
    among: bool
    evaluation: int
    folds: int
    may_fold: int
    metric: str
    max_drop: float | None
    max_drop_of: str
    needed: int | None
    confirmable: float | None
    notes: tuple[str, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """The plan in words, a line each, which begins with ``samples``."""
        choice = 0 if self.among else self.choice
        parts = [(self.calibration, "calibrate"), (choice, "choose layers"), (self.evaluation, f"verify{self._by}")]
        told = [f"samples of {self.origin}: {', '.join(f'{count:,} {what}' for count, what in parts if count)}"]
        more = []
        if self.among:
            more.append(
                f"{self.choice:,} of those {self.evaluation:,} choose layers for float where int8 loses too much; the others verify that"
            )
        if self.folds:
            more.append(f"those {self.folds:,} verify too: of what they calibrate, twins answer that {self.folds:,} others calibrate")
        if self.max_drop is not None and self.confirmable is not None:
            more.append(self._limit)
        return (*told, *(f"samples: {line}" for line in (*more, *self.notes)))

    @property
    def _by(self) -> str:
        return f" by {self.metric}" if self.metric else ""

    @property
    def _limit(self) -> str:
        assert self.max_drop is not None
        limit = f"a drop of at most {points(self.max_drop)}{f', the limit of {self.max_drop_of},' if self.max_drop_of else ''}"
        rows = min(self.choice or self.evaluation, self.evaluation) + self.folds
        if self.needed is None:
            return f"{limit} cannot be confirmed by any number of samples: raise --max-drop"
        takes = f"to confirm {limit} takes about {self.needed:,} where no answer differs, more where some do"
        few = f"; add samples, or with these {rows:,} --max-drop {self.confirmable:g}"
        few += f"; --folds lets {rows + self.may_fold:,} verify" if self.may_fold else ""
        return f"{takes}{few if rows < self.needed else ''}"


def plan_samples(
    split: Split,
    manifest: Manifest,
    *,
    limits: Limits,
    limits_of: str = "",
    in_integers: bool = False,
    choice: Samples | None = None,
    among: bool = False,
    folds: bool = False,
) -> SamplePlan:
    """The plan for a network with this manifest.

    Args:
        split: its samples.
        manifest: the trained model's.
        limits: by what it is judged.
        limits_of: the bundle that remembers them.
        in_integers: whether there is anything that may lose some of its metric.
        choice: samples that choose layers.
        among: whether they are some of those that verify.
        folds: whether what calibrates verifies too.
    """
    samples = split.evaluation
    task, metric = (None, None) if samples.drawn else task_for(manifest, samples.targets, task=limits.task, metric=limits.metric)
    share = metric is not None and metric.unit == POINTS and not limits.relative
    folded = len(split.calibration) if folds else 0
    rows = min(len(samples if choice is None else choice), len(samples)) + folded
    unused = samples.targets is not None and metric is None and not is_users(limits.metric)
    title = "" if task is None or metric is None else task.called(metric, labelled=samples.targets is not None)
    if is_users(limits.metric) and not samples.drawn:
        title = Path(limits.metric).name
    return SamplePlan(
        origin=samples.origin,
        calibration=0 if samples.drawn else len(split.calibration),
        choice=0 if choice is None else len(choice),
        among=among and choice is not None,
        evaluation=len(samples),
        folds=folded,
        may_fold=0 if folds or choice is not None or not split.twin else len(split.calibration),
        metric=title,
        max_drop=limits.max_drop if in_integers else None,
        max_drop_of=limits_of if in_integers else "",
        needed=needed_samples(limits.max_drop) if share and in_integers else None,
        confirmable=confirmable_drop(rows) if share else None,
        notes=(*samples.notes, *(["targets are not used: nothing says what they mean; name the --task or --metric"] if unused else [])),
    )
