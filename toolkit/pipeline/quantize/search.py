"""Which layers must stay in float: the most sensitive ones, as few as hold the limit."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.converters.base import Recipe
from toolkit.converters.recipes import Choices, chosen_of
from toolkit.converters.study import Sensitivity, sensitivities, static_quantizer
from toolkit.converters.task import obtain
from toolkit.core import (
    ADD_SAMPLES,
    Artifact,
    ConversionError,
    InconclusiveError,
    ParityReport,
    Samples,
    ToolkitError,
    Verdict,
    inconclusive,
    points,
)
from toolkit.runtimes.parity import Observation, judge, observe
from toolkit.tasks import Limits

from ..convert import Request
from ..verify import default_engine

_SAMPLES = 64
_NO_NOISE_DB = 199.0
_GIVEN_BACK = 8


@dataclass(frozen=True)
class Trial:
    """A quantized file with some layers in float, and its verdict on the samples for choosing; no report where an engine refused it, then
    ``reason`` says why.
    """

    keep_float: tuple[str, ...]
    artifact: Artifact
    report: ParityReport | None
    reason: str

    @property
    def holds(self) -> bool:
        """Whether the whole interval is inside the limit."""
        return self.report is not None and self.report.verdict is Verdict.PASSED

    @property
    def drop(self) -> float:
        """The upper end of the drop's interval in the metric's unit; infinite where it is not known."""
        return self.report.task.drop_high if self.report is not None and self.report.task is not None else math.inf


@dataclass(frozen=True)
class Found:
    """The result of a search: int8 in every layer, what was chosen, the layers that stay in float, the most sensitive first, and how
    many files were made and judged.
    """

    plain: Trial
    chosen: Trial
    excluded: tuple[Sensitivity, ...]
    trials: int


def search(
    source: Artifact, reference: Observation, choice: Samples, *, request: Request, work: Path, report: Callable[[str, str], None]
) -> Found:
    """The int8 artifact of the float artifact `source` that holds the request's limit on the samples `choice` with the fewest layers in
    float that were found.

    Every layer is put into integers alone, which gives their order (as in Zhang et al. 2023, and OpenVINO's accuracy-aware
    quantization); then as many of the most sensitive stay in float as are needed, by doubling and bisecting; then those with most
    multiply-adds are tried in integers again.

    Raises:
        InconclusiveError: the samples are too few to confirm that anything holds the limit.
        ToolkitError: nothing holds the limit, or a process failed.
    """
    quantizer = static_quantizer(source.manifest.format)
    target = str(quantizer.target)
    log = request.out / "logs" / f"{target}.log"
    done: dict[tuple[str, ...], Trial] = {}

    def attempt(keep: Sequence[Sensitivity]) -> Trial:
        names = tuple(layer.name for each in keep for layer in each.layers)
        if names not in done:
            report(target, f"trying {len(names)} layers in float" if names else "trying all layers in integers")
            # With the choices that made the file in integers good, which the layers in float go beside.
            choices = chosen_of(done[()].artifact.manifest.recipe) if names else Choices()
            recipe = Recipe(request.split.calibration, request.batch_sizes, names, choices, seeks_layers=False)
            out = work / str(len(done))
            made = obtain(quantizer, source, out, recipe, timeout_s=request.timeout_s, memory_bytes=request.memory_bytes, log=log).artifact
            done[names] = _judged(names, made)
        return done[names]

    def _judged(names: tuple[str, ...], made: Artifact) -> Trial:
        try:
            seen = observe(made, default_engine(made), choice, log=log)
        except ToolkitError as error:
            return Trial(names, made, None, str(error))
        verdict = judge(made, seen, reference, choice, limits=request.limits)
        return Trial(names, made, verdict, verdict.reason)

    plain = attempt(())
    if plain.holds:
        return Found(plain, plain, (), len(done))
    _check_decidable(target, plain, reference, choice, request.limits)

    def on_progress(count: int, total: int) -> None:
        report(target, f"sensitivity of {count} of {total} layers")

    samples = request.split.calibration.rows(slice(_SAMPLES))
    ranking = sensitivities(quantizer, source, samples, log=log, timeout_s=request.timeout_s, on_progress=on_progress)
    ranking = [each for each in ranking if each.alone_db < _NO_NOISE_DB]
    chosen = _fewest(ranking, attempt)
    if chosen is None:
        raise _no_choice(target, list(done.values()), request.limits)
    for each in sorted(chosen, key=lambda each: -each.multiply_adds)[:_GIVEN_BACK]:
        fewer = [other for other in chosen if other != each]
        if each.multiply_adds and fewer and attempt(fewer).holds:
            chosen = fewer
    return Found(plain, attempt(chosen), tuple(chosen), len(done))


def _check_decidable(target: str, plain: Trial, reference: Observation, choice: Samples, limits: Limits) -> None:
    """Raise `InconclusiveError` where even the reference's own outputs could not be shown to hold the limit: then no layers can help."""
    same = judge(plain.artifact, reference, reference, choice, limits=limits)
    if same.verdict is Verdict.UNDECIDED and same.task is not None:
        got = f"up to {same.task.amount(round(same.task.drop_high, 2))} even where no answer differs"
        raise InconclusiveError(f"{target}: {inconclusive(same.task, limits.allowed(same.task))}", got=got, hint=ADD_SAMPLES)


def _no_choice(target: str, trials: Sequence[Trial], limits: Limits) -> ConversionError:
    """Why no trial holds the limit: some may, but for the number of samples, or all lose more."""
    open_ = [trial for trial in trials if trial.report is not None and trial.report.verdict is Verdict.UNDECIDED]
    best = min(open_ or trials, key=lambda trial: trial.drop)
    task = best.report.task if best.report is not None else None
    if open_ and task is not None:
        return InconclusiveError(f"{target}: {inconclusive(task, limits.allowed(task))}", got=str(task), hint=ADD_SAMPLES)
    limit = f"at most {task.amount(limits.allowed(task)) if task is not None else points(limits.max_drop)}"
    return ConversionError(f"{target}: no mixed-precision setting met --max-drop", expected=limit, got=best.reason, hint="raise --max-drop")


def _fewest(ranking: Sequence[Sensitivity], attempt: Callable[[Sequence[Sensitivity]], Trial]) -> list[Sensitivity] | None:
    """The smallest number of first entries with which a trial holds: doubled until one does, then bisected; None if none does."""
    low, high = 0, 1
    most = len(ranking) - 1  # With every layer in float nothing would be quantized.
    while high < most and not attempt(ranking[:high]).holds:
        low, high = high, 2 * high
    high = min(high, most)
    if high < 1 or not attempt(ranking[:high]).holds:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if attempt(ranking[:middle]).holds:
            high = middle
        else:
            low = middle
    return list(ranking[:high])
