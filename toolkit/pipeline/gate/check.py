"""Measuring a new model and its baseline by turns until the pairs tell, and comparing their answers and sizes."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from toolkit.core import Artifact, DataError, InputError, Samples, Verdict, load_average, this_machine
from toolkit.core.measurement import Protocol, Setting
from toolkit.tasks import Limits

from ..benchmark import check_sizes, fixed_batch, plan_settings
from ..data import Given
from ..progress import OnCount
from .changes import Turns, answers, files, latency, memory, size
from .result import Change, GateReport, Row
from .sides import Side, common, samples_of

QUICK = Protocol(min_seconds=0.25, min_calls=4, warmup_calls=2)
"""Of one turn: many short ones tell more than a few long ones."""
_ERROR = 0.05
"""The largest probability that any artifact of a run is decided wrongly by its times."""


@dataclass(frozen=True)
class Allowed:
    """What the new model may be worse by, in percent of its baseline.

    Args:
        slower: latency.
        size: bytes of the files.
        memory: peak memory; None where nobody asks, which saves its processes.
    """

    slower: float = 5.0
    size: float = 10.0
    memory: float | None = None

    def __post_init__(self) -> None:
        for name in ("slower", "size", "memory"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < float("inf"):
                raise InputError(f"what may be lost of {name}", expected="a percentage of 0 or more", got=str(value))


class GateInterrupted(KeyboardInterrupt):
    """Ctrl-C while times were measured; ``report`` says what was known by then."""

    def __init__(self, report: GateReport) -> None:
        super().__init__("the gate was interrupted")
        self.report = report


@dataclass(frozen=True)
class _Cell:
    """Two artifacts of one name in one engine."""

    new: Artifact
    old: Artifact
    setting: Setting

    @property
    def pair(self) -> tuple[Setting, Setting]:
        """The new one first."""
        new = replace(self.setting, folder=str(self.new.path), artifact=self.new.name, content_sha256=self.new.manifest.content_sha256)
        return new, self.setting


def gate(
    new: str | Path,
    baseline: str | Path,
    *,
    allowed: Allowed | None = None,
    limits: Limits | None = None,
    data: Given | None = None,
    data_dir: Path | None = None,
    names: Sequence[str] = (),
    engine: str | None = None,
    threads: int | None = None,
    evaluation: int | None = None,
    minutes: float = 3.0,
    commit: str = "",
    on_progress: OnCount | None = None,
) -> GateReport:
    """Whether `new` is slower, worse or larger than `baseline`, both measured here and now.

    Latency is measured in pairs, one straight after the other in a drawn order, until the signs of the pairs tell on which side of the
    limit the new artifact lies (`toolkit.core.sequential`): what else runs on the machine slows both. Both are run by the engine that is
    installed here, so that an engine's own change is no change of the model. An artifact whose files did not change is not measured.

    Args:
        new: a bundle, one artifact of it, or what `toolkit bundle` packed.
        baseline: the same of the model before; a packed one brings its samples.
        allowed: what the new one may be worse by.
        limits: what it may lose of the task's metric; by default as the baseline was made.
        data: samples in place of those that travelled with the baseline, or that a bundle remembers.
        data_dir: where the files of a data set are.
        names: artifacts to compare; by default all of the baseline.
        engine: its name; by default those that the baseline was verified in.
        threads: of the engine; by default all that this process may use.
        evaluation: at most so many samples.
        minutes: after so many nothing further is measured, and what is undecided stays so.
        commit: the revision of the new model, for the report.
        on_progress: called as the work goes on.

    Raises:
        GateInterrupted: Ctrl-C while times were measured.
        InputError: the two have nothing in common.
        ToolkitError: one of them cannot be opened, or there are no samples.
    """
    report: OnCount = on_progress or (lambda _what, _done, _total: None)
    allowed, began, load = allowed or Allowed(), time.monotonic(), load_average()
    started = datetime.now(UTC).isoformat(timespec="seconds")
    with tempfile.TemporaryDirectory(prefix="toolkit-gate-") as work:
        folder = Path(work)
        one, other = Side.of(Path(new), folder / "new"), Side.of(Path(baseline), folder / "baseline")
        chosen, limits = common(one, other, names), limits or other.limits
        samples = samples_of(one, other, data, folder=data_dir, evaluation=evaluation, limits=limits)
        rows, cells = _cells(one, other, chosen, samples, engine=engine, threads=threads)
        changes: list[list[Change]] = []
        for done, cell in enumerate(cells):
            report(f"comparing {cell.old.name} in {cell.setting.engine}", done, len(cells))
            alike = answers(cell.new, cell.old, cell.setting.engine, samples, limits)
            changes.append([alike, size(cell.new.size_bytes, cell.old.size_bytes, allowed.size)])
        turns = Turns([cell.pair for cell in cells], allowed.slower, error=_ERROR / max(1, len(cells)), protocol=QUICK)
        inputs, interrupted = folder / "inputs.npz", False
        samples.rows(slice(0, QUICK.inputs * max((cell.setting.batch for cell in cells), default=1))).save(inputs)
        try:
            turns.take(inputs, until=began + 60 * minutes, report=_seconds(report, began, minutes))
            if allowed.memory is not None:
                for cell, found in zip(cells, changes, strict=True):
                    report(f"memory of {cell.old.name} in {cell.setting.engine}", 0, 1)
                    found.append(memory(cell.pair, inputs, allowed.memory))
        except KeyboardInterrupt:
            interrupted = True
        for turn, found in zip(turns.turns, changes, strict=True):
            found.insert(0, latency(turn, allowed.slower))
        rows += [Row(cell.old.name, cell.setting.engine, tuple(found)) for cell, found in zip(cells, changes, strict=True)]
        result = GateReport(
            model=next(iter(other.artifacts.values())).manifest.model,
            new=one.name,
            baseline=other.name,
            machine=this_machine(),
            started=started,
            seconds=time.monotonic() - began,
            load_before=load,
            load_after=load_average(),
            pairs=turns.most,
            samples=samples.origin,
            count=len(samples),
            commit=commit,
            rows=tuple(sorted(rows, key=lambda row: (chosen.index(row.artifact), row.engine))),
        )
    if interrupted:
        raise GateInterrupted(result)
    return result


def _seconds(report: OnCount, began: float, minutes: float) -> Callable[[int, int], None]:
    def told(pairs: int, left: int) -> None:
        report(f"{pairs} pairs, {left} undecided", min(int(time.monotonic() - began), int(60 * minutes)), int(60 * minutes))

    return told


def _cells(
    new: Side, old: Side, names: Sequence[str], samples: Samples, *, engine: str | None, threads: int | None
) -> tuple[list[Row], list[_Cell]]:
    """The rows that are decided without measuring, and what is to be measured."""
    rows: list[Row] = []
    cells: list[_Cell] = []
    for name in names:
        before, after = old.artifacts[name], new.artifacts.get(name)
        check_sizes(before, samples)
        plan = plan_settings(
            [before],
            engines=None if engine is None else [engine],
            threads=None if threads is None else (threads,),
            batches=(fixed_batch(before) or 1,),
        )
        if after is None:
            why = "in the baseline and not in the new model; name those that count with --artifact"
            rows.append(Row(name, "", (files(Verdict.FAILED, why),)))
        elif after.manifest.content_sha256 == before.manifest.content_sha256:
            rows.append(Row(name, "", (files(Verdict.PASSED, "the same files as in the baseline"),)))
        elif problem := _unfit(after, before, samples):
            rows.append(Row(name, "", (files(Verdict.FAILED, problem),)))
        else:
            rows += [Row(name, "", (files(Verdict.UNDECIDED, each.reason),)) for each in plan.skipped]
            cells += [_Cell(after, before, setting) for setting in plan.settings]
    return rows, cells


def _unfit(new: Artifact, old: Artifact, samples: Samples) -> str:
    """Why the new artifact cannot stand in for the old one; empty where it can."""
    ours, theirs = ({spec.name for spec in each.manifest.signature.outputs} for each in (new, old))
    if ours != theirs:
        return f"other outputs than the baseline's: expected {', '.join(sorted(theirs))}, got {', '.join(sorted(ours))}"
    try:
        samples.fit(new.manifest.signature)
    except DataError as error:
        return f"other inputs than the baseline's: {error}"
    return ""
