"""Whether a candidate passes by the rule of its precision (`toolkit.core.RULES`), and the reason.

Whatever the precision, NaN, infinity, a wrong name, order, shape or dtype, a quantized file without quantized operators, and
an engine that computed in another precision than asked all fail.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toolkit.core import (
    ADD_SAMPLES,
    MAX_DROP,
    Artifact,
    ParityReport,
    Precision,
    Rule,
    Samples,
    TaskMetric,
    TensorError,
    Verdict,
    class_labels,
    inconclusive,
    paired_difference,
    rule_for,
    shortfall,
)
from toolkit.core.rules import Floor

from .compare import compare
from .observe import Observation


@dataclass(frozen=True)
class Limits:
    """What a quantized candidate may lose: ``max_drop`` in percentage points of the task metric."""

    max_drop: float = MAX_DROP


def judge(
    artifact: Artifact, candidate: Observation, reference: Observation, samples: Samples, *, limits: Limits | None = None
) -> ParityReport:
    """Compare two observations of the same probes and samples and say whether the candidate passes by its precision's rule."""
    limits = limits or Limits()
    assert candidate.actual is not None
    rule = rule_for(artifact.manifest.precision, max_drop=limits.max_drop)
    names = [spec.name for spec in artifact.manifest.signature.outputs]
    problem = candidate.problem or reference.problem or _structure(names, candidate, reference)
    errors: tuple[TensorError, ...] = ()
    task: TaskMetric | None = None
    if not problem:
        errors = tuple(compare(name, _pairs(name, candidate, reference)) for name in names)
        task = None if samples.drawn else _task(names[0], candidate, reference, samples)
    verdict, reason = (Verdict.FAILED, problem) if problem else _verdict(artifact, candidate, errors, task, rule)
    if samples.drawn and not problem:
        reason += "; seeded probes only"
        # What integers cost of a metric random numbers cannot tell.
        if verdict is Verdict.PASSED and rule.max_drop is not None:
            verdict, reason = Verdict.UNDECIDED, f"{reason}, add --data"
    return ParityReport(
        candidate=candidate.artifact,
        reference=reference.artifact,
        edge=artifact.manifest.edge,
        engine=candidate.actual.engine,
        engine_version=candidate.actual.engine_version,
        device=candidate.actual.device,
        execution_precision=candidate.actual.float_type,
        verdict=verdict,
        reason=reason,
        rule=rule.text(task.name if task else ""),
        batch_sizes=tuple(candidate.probes),
        samples_sha256=samples.sha256,
        outputs=errors,
        task=task,
        reference_engine=reference.actual.engine if reference.actual else "",
        reference_version=reference.actual.engine_version if reference.actual else "",
        instruction_sets=candidate.instruction_sets,
    )


def _structure(names: list[str], candidate: Observation, reference: Observation) -> str:
    if set(candidate.samples) != set(names) or set(reference.samples) != set(names):
        return f"outputs: expected {', '.join(names)}, got {', '.join(candidate.samples)}"
    for name in names:
        for one, other in _pairs(name, candidate, reference):
            if one.shape != other.shape or one.dtype != other.dtype:
                return f"output '{name}': expected {one.dtype}{list(one.shape)}, got {other.dtype}{list(other.shape)}"
    return ""


def _pairs(name: str, candidate: Observation, reference: Observation) -> list[tuple[np.ndarray, np.ndarray]]:
    shared = sorted(set(candidate.probes) & set(reference.probes))
    pairs = [(reference.probes[batch][name], candidate.probes[batch][name]) for batch in shared]
    rows = min(len(reference.samples[name]), len(candidate.samples[name]))
    return [*pairs, (reference.samples[name][:rows], candidate.samples[name][:rows])]


def _task(output: str, candidate: Observation, reference: Observation, samples: Samples) -> TaskMetric | None:
    first, second = reference.samples[output], candidate.samples[output]
    rows = min(len(first), len(second))
    if first.ndim != 2 or first.shape[1] < 2 or not rows:
        return None
    expected, got = first[:rows].argmax(axis=1), second[:rows].argmax(axis=1)
    labels = class_labels(samples, first.shape[1])
    labelled = labels is not None
    truth = expected if labels is None else labels[:rows]
    right, still = expected == truth, got == truth
    # The reference agrees with itself in every sample: nothing can agree more.
    drop = paired_difference(right, still) if labelled else shortfall(int(np.sum(still)), rows)
    return TaskMetric(
        name="accuracy" if labelled else "top-1 agreement",
        samples=rows,
        reference=float(right.mean()),
        candidate=float(still.mean()),
        drop=100 * drop.value,
        drop_low=100 * drop.low,
        drop_high=100 * drop.high,
        differing=int(np.sum(expected != got)),
    )


def _verdict(
    artifact: Artifact, candidate: Observation, errors: tuple[TensorError, ...], task: TaskMetric | None, rule: Rule
) -> tuple[Verdict, str]:
    precision, actual = artifact.manifest.precision, candidate.actual
    assert actual is not None
    if not all(error.finite for error in errors):
        return Verdict.FAILED, "NaN or infinity in the outputs"
    wanted = Precision.BF16 if precision is Precision.BF16 else Precision.FP32
    if actual.float_type != wanted:
        return Verdict.FAILED, f"{actual.engine} computed in {actual.float_type}, not in {wanted}"
    operators = artifact.manifest.operators
    if precision.is_quantized and operators is not None and operators.quantized == 0:
        return Verdict.FAILED, "no operator of the file is quantized"
    if rule.max_drop is not None and task is not None:
        return _of_drop(task, rule, rule.max_drop)
    if rule.floor is not None:
        return _of_floor(errors, rule.floor)
    worst = max(errors, key=lambda error: error.max_abs)
    text = f"max error {worst.max_abs:.1e} in '{worst.output}'"
    return (Verdict.PASSED if all(e.within_tolerance for e in errors) else Verdict.FAILED), text


def _of_drop(task: TaskMetric, rule: Rule, limit: float) -> tuple[Verdict, str]:
    verdict = rule.judge_drop(task)
    few = f"; {inconclusive(task.samples, limit)}; {ADD_SAMPLES}" if verdict is Verdict.UNDECIDED else ""
    return verdict, f"{task}{few}"


def _of_floor(errors: tuple[TensorError, ...], floor: Floor) -> tuple[Verdict, str]:
    for error in errors:
        if error.sqnr_db is not None and error.sqnr_db < floor.sqnr_db:
            return Verdict.FAILED, f"'{error.output}': {error.sqnr_db:.1f} dB, expected at least {floor.sqnr_db:g} dB"
    counted = [(error, agreement) for error in errors if (agreement := error.agreement) is not None]
    worst = max(counted, key=lambda pair: floor.judge_agreement(pair[1]).severity, default=None)
    if worst is not None and (verdict := floor.judge_agreement(worst[1])) is not Verdict.PASSED:
        error, agreement = worst
        text = f"'{error.output}': top-1 agreement {agreement.value:.2%} [{agreement.low:.2%}, {agreement.high:.2%}], n={error.rows}"
        few = f"; inconclusive: {error.rows} rows do not tell; add samples" if verdict is Verdict.UNDECIDED else ""
        return verdict, f"{text}, expected at least {floor.top1:.0%}{few}"
    ratios = [error.sqnr_db for error in errors if error.sqnr_db is not None]
    parts = [f"{min(ratios):.0f} dB" if ratios else "equal"]
    parts += [f"top-1 agreement {min(agreement.value for _, agreement in counted):.2%}"] if counted else []
    return Verdict.PASSED, ", ".join(parts)
