"""Whether a candidate passes by the rule of its precision (`toolkit.core.RULES`), and the reason.

Whatever the precision, NaN, infinity, a wrong name, order, shape or dtype, a quantized file without quantized operators, and
an engine that computed in another precision than asked all fail.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence

import numpy as np

from toolkit.core import (
    ADD_SAMPLES,
    Artifact,
    ParityReport,
    Precision,
    Rule,
    Samples,
    TaskMetric,
    TensorError,
    Verdict,
    inconclusive,
    rule_for,
)
from toolkit.core.rules import Floor
from toolkit.tasks import Limits

from .compare import compare
from .criterion import Criterion
from .observe import Observation


def judge(
    artifact: Artifact, candidate: Observation, reference: Observation, samples: Samples, *, limits: Limits | None = None
) -> ParityReport:
    """Compare two observations of the same probes and samples and say whether the candidate passes by its precision's rule."""
    limits = limits or Limits()
    assert candidate.actual is not None
    names = [spec.name for spec in artifact.manifest.signature.outputs]
    problem = candidate.problem or reference.problem or _structure(names, candidate, reference)
    errors: tuple[TensorError, ...] = ()
    task: TaskMetric | None = None
    criterion = Criterion.of(artifact.manifest, samples, limits, {} if problem else reference.samples)
    if not problem:
        scored = criterion.judged(artifact.manifest) if criterion.task and criterion.task.scores else ()
        errors = tuple(compare(name, _pairs(name, candidate, reference), scores=name in scored) for name in names)
        if all(error.finite for error in errors):
            task = criterion.measure(artifact.manifest, samples, reference=reference.samples, candidate=candidate.samples)
    rule = rule_for(artifact.manifest.precision, max_drop=limits.allowed(task), named=criterion.named)
    verdict, reason = (
        (Verdict.FAILED, problem)
        if problem
        else (Verdict.FAILED, _not_finite(names, candidate, reference, samples))
        if not all(error.finite for error in errors)
        else _verdict(artifact, candidate, errors, task=task, rule=rule, judged=criterion.covered(artifact.manifest))
    )
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
        rule=rule.text(task),
        batch_sizes=tuple(candidate.probes),
        sizes=tuple(sizes for sizes in candidate.sized if sizes in reference.sized),
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
    both = sorted(set(candidate.sized) & set(reference.sized))
    pairs += [(reference.sized[sizes][name], candidate.sized[sizes][name]) for sizes in both]
    rows = min(len(reference.samples[name]), len(candidate.samples[name]))
    return [*pairs, (reference.samples[name][:rows], candidate.samples[name][:rows])]


def _not_finite(names: list[str], candidate: Observation, reference: Observation, samples: Samples) -> str:
    """Whether the candidate made NaN or infinity, or has them from the network, which then says nothing of it."""
    own = [name for name in names if not all(np.isfinite(one).all() for one, _ in _pairs(name, candidate, reference))]
    if not own:
        return "NaN or infinity in the outputs"
    todo = "give --data, or --set for an input that is no row" if samples.drawn else "no result can be compared with that"
    return f"NaN or infinity in '{own[0]}' of the trained network itself: {todo}"


def _verdict(
    artifact: Artifact,
    candidate: Observation,
    errors: tuple[TensorError, ...],
    *,
    task: TaskMetric | None,
    rule: Rule,
    judged: Sequence[str],
) -> tuple[Verdict, str]:
    precision, actual = artifact.manifest.precision, candidate.actual
    assert actual is not None
    wanted = Precision.BF16 if precision is Precision.BF16 else Precision.FP32
    if actual.float_type != wanted:
        return Verdict.FAILED, f"{actual.engine} computed in {actual.float_type}, not in {wanted}"
    operators = artifact.manifest.operators
    if precision.is_quantized and operators is not None and operators.quantized == 0:
        return Verdict.FAILED, "no operator of the file is quantized"
    floats = {spec.name for spec in artifact.manifest.signature.outputs if spec.dtype.startswith(("float", "bfloat"))}
    assert rule.floor is not None
    if rule.tolerance is not None:
        return _of_tolerance(errors, floats, rule.floor)
    # Of whole numbers a ratio says nothing: a label that differs by one is as wrong as any other.
    counted = [error for error in errors if error.output in floats] or list(errors)
    if task is None or rule.max_drop is None:
        return _of_floor(counted, rule.floor)
    verdict, text = _of_drop(task, rule, rule.max_drop)
    rest = [error for error in counted if error.output not in judged]
    # A metric is of its own outputs only: those beside them must keep the ratio.
    beside, reason = _of_floor(rest, rule.floor) if rest else (Verdict.PASSED, "")
    return (beside, f"{text}; {reason}") if beside.severity > verdict.severity else (verdict, text)


def _of_tolerance(errors: Sequence[TensorError], floats: Collection[str], floor: Floor) -> tuple[Verdict, str]:
    """Passed where every value keeps the tolerance, or whole numbers do and the others reach float16's floor."""
    worst = max(errors, key=lambda error: error.max_abs)
    text = f"max error {worst.max_abs:.1e} in '{worst.output}'"
    missed = [error for error in errors if not error.within_tolerance]
    if any(error.output not in floats for error in missed):
        return Verdict.FAILED, text
    verdict, reason = _of_floor(missed, floor) if missed else (Verdict.PASSED, "")
    return (verdict, f"{text}, {reason}") if missed and verdict is Verdict.PASSED else (Verdict.FAILED if missed else verdict, text)


def _of_drop(task: TaskMetric, rule: Rule, limit: float) -> tuple[Verdict, str]:
    if max(abs(task.drop_low), abs(task.drop_high)) >= sys.float_info.max:
        return Verdict.UNDECIDED, f"{task.name} is not defined on these {task.samples} samples, or has no interval; add samples"
    verdict = rule.judge_drop(task)
    few = f"; {inconclusive(task, limit)}; {ADD_SAMPLES}" if verdict is Verdict.UNDECIDED else ""
    return verdict, f"{task}{few}"


def _of_floor(errors: Sequence[TensorError], floor: Floor) -> tuple[Verdict, str]:
    for error in errors:
        part = error.worst_part
        if part is not None and part.sqnr_db is not None and part.sqnr_db < floor.sqnr_db:
            of = f"'{error.output}', {part.channels}, values up to {part.range:.3g}"
            return Verdict.FAILED, f"{of}: {part.sqnr_db:.1f} dB, expected at least {floor.sqnr_db:g} dB"
        if error.sqnr_db is not None and error.sqnr_db < floor.sqnr_db:
            return Verdict.FAILED, f"'{error.output}': {error.sqnr_db:.1f} dB, expected at least {floor.sqnr_db:g} dB"
    counted = [(error, agreement) for error in errors if (agreement := error.agreement) is not None]
    worst = max(counted, key=lambda pair: floor.judge_agreement(pair[1]).severity, default=None)
    if worst is not None and (verdict := floor.judge_agreement(worst[1])) is not Verdict.PASSED:
        error, agreement = worst
        text = f"'{error.output}': top-1 agreement {agreement.value:.2%} [{agreement.low:.2%}, {agreement.high:.2%}], n={error.rows}"
        few = f"; inconclusive: {error.rows} rows do not tell; add samples" if verdict is Verdict.UNDECIDED else ""
        return verdict, f"{text}, expected at least {floor.top1:.0%}{few}"
    ratios = [ratio for error in errors if (ratio := error.worst_db) is not None]
    parts = [f"{min(ratios):.0f} dB" if ratios else "equal"]
    parts += [f"top-1 agreement {min(agreement.value for _, agreement in counted):.2%}"] if counted else []
    return Verdict.PASSED, ", ".join(parts)
