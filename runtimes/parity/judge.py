"""The rules by which a candidate passes, and the judgement with its reason.

======================  ==========================================================================================
precision               rule
======================  ==========================================================================================
fp32                    every output within 1e-4 + 1e-3 |r| of the reference, the engine computing in fp32
fp16                    signal-to-quantization-noise ratio at least 40 dB and top-1 agreement at least 99 %
bf16                    the same with 20 dB (8 bits of mantissa instead of 11)
those of integers       upper end of the 95 % interval of the task metric's drop at most one point; without labels the
(int8, int4-weights...) metric is top-1 agreement, without scores 20 dB
======================  ==========================================================================================

Whatever the precision, NaN, infinity, a wrong name, order, shape or dtype, a quantized file without quantized operators, and
an engine that computed in another precision than asked all fail.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toolkit.core import Artifact, ParityReport, Precision, Samples, TaskMetric, TensorError, Verdict, paired_difference

from .compare import compare
from .observe import Observation

_SQNR_DB = {Precision.FP16: 40.0, Precision.BF16: 20.0}
_SQNR_DB_WITHOUT_SCORES = 20.0
_TOP1 = 0.99


@dataclass(frozen=True)
class Limits:
    """What a quantized candidate may lose: ``max_drop`` in percentage points of the task metric."""

    max_drop: float = 1.0


def judge(
    artifact: Artifact, candidate: Observation, reference: Observation, samples: Samples, *, limits: Limits | None = None
) -> ParityReport:
    """Compare two observations of the same probes and samples and say whether the candidate passes by its precision's rule."""
    limits = limits or Limits()
    assert candidate.actual is not None
    precision = artifact.manifest.precision
    names = [spec.name for spec in artifact.manifest.signature.outputs]
    problem = candidate.problem or reference.problem or _structure(names, candidate, reference)
    errors: tuple[TensorError, ...] = ()
    task: TaskMetric | None = None
    if not problem:
        errors = tuple(compare(name, _pairs(name, candidate, reference)) for name in names)
        task = _task(names[0], candidate, reference, samples)
    verdict, reason = (Verdict.FAILED, problem) if problem else _verdict(artifact, candidate, errors, task, limits)
    return ParityReport(
        candidate=candidate.artifact,
        reference=reference.artifact,
        edge=artifact.manifest.edge,
        engine=candidate.actual.engine,
        engine_version=candidate.actual.engine_version,
        device=candidate.actual.device,
        execution_precision=candidate.actual.precision,
        verdict=verdict,
        reason=reason,
        rule=_rule(precision, task, limits),
        batch_sizes=tuple(candidate.probes),
        samples_sha256=samples.sha256,
        outputs=errors,
        task=task,
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
    labelled = samples.targets is not None and samples.targets.ndim == 1
    truth = samples.targets[:rows] if labelled and samples.targets is not None else expected
    right, still = expected == truth, got == truth
    drop = paired_difference(right, still)
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
    artifact: Artifact, candidate: Observation, errors: tuple[TensorError, ...], task: TaskMetric | None, limits: Limits
) -> tuple[Verdict, str]:
    precision, actual = artifact.manifest.precision, candidate.actual
    assert actual is not None
    if not all(error.finite for error in errors):
        return Verdict.FAILED, "NaN or infinity in the outputs"
    wanted = Precision.BF16 if precision is Precision.BF16 else Precision.FP32
    if actual.precision != wanted:
        return Verdict.FAILED, f"{actual.engine} computed in {actual.precision}, not in {wanted}"
    operators = artifact.manifest.operators
    if precision.is_quantized and operators is not None and operators.quantized == 0:
        return Verdict.FAILED, "no operator of the file is quantized"
    if precision is Precision.FP32:
        worst = max(errors, key=lambda error: error.max_abs)
        text = f"max error {worst.max_abs:.1e} in '{worst.output}'"
        return (Verdict.PASSED if all(e.within_tolerance for e in errors) else Verdict.FAILED), text
    if precision.is_quantized and task is not None:
        return _task_verdict(task, limits)
    floor = _SQNR_DB.get(precision, _SQNR_DB_WITHOUT_SCORES)
    return _ratio_verdict(errors, floor)


def _task_verdict(task: TaskMetric, limits: Limits) -> tuple[Verdict, str]:
    text = f"{task.name} drop {task.drop:+.2f} points [{task.drop_low:+.2f}, {task.drop_high:+.2f}], n={task.samples}"
    if task.drop_high <= limits.max_drop:
        return Verdict.PASSED, text
    if task.drop > limits.max_drop:
        return Verdict.FAILED, text
    return Verdict.UNDECIDED, f"{text}: too few samples to show at most {limits.max_drop:g}"


def _ratio_verdict(errors: tuple[TensorError, ...], floor: float) -> tuple[Verdict, str]:
    for error in errors:
        if error.sqnr_db is not None and error.sqnr_db < floor:
            return Verdict.FAILED, f"'{error.output}': {error.sqnr_db:.1f} dB, expected at least {floor:g} dB"
        if error.top1_agreement is not None and error.top1_agreement < _TOP1:
            return Verdict.FAILED, f"'{error.output}': top-1 agreement {error.top1_agreement:.2%}, expected at least {_TOP1:.0%}"
    ratios = [error.sqnr_db for error in errors if error.sqnr_db is not None]
    agreements = [error.top1_agreement for error in errors if error.top1_agreement is not None]
    parts = [f"{min(ratios):.0f} dB" if ratios else "equal"]
    parts += [f"top-1 agreement {min(agreements):.2%}"] if agreements else []
    return Verdict.PASSED, ", ".join(parts)


def _rule(precision: Precision, task: TaskMetric | None, limits: Limits) -> str:
    if precision is Precision.FP32:
        return "atol 1e-4 + rtol 1e-3"
    if precision.is_quantized and task is not None:
        return f"{task.name} drop: 95 % upper bound at most {limits.max_drop:g} points"
    return f"at least {_SQNR_DB.get(precision, _SQNR_DB_WITHOUT_SCORES):g} dB, top-1 agreement at least {_TOP1:.0%}"
