"""By what a candidate is judged: never by a metric that its outputs do not have, and by each part that has a range of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.tiny import tiny_artifact
from toolkit.core import Artifact, DataError, Operators, ParityReport, Precision, Samples, Signature, TensorSpec, UnknownNameError, Verdict
from toolkit.runtimes.base import Actual
from toolkit.runtimes.parity import Criterion, Observation, judge
from toolkit.tasks import Limits

RANDOM = np.random.default_rng(0)


def network(folder: Path, *outputs: TensorSpec, precision: Precision = Precision.INT8, task: str = "") -> Artifact:
    """An artifact that claims to be a network with these outputs; nobody runs it."""
    artifact = tiny_artifact(folder)
    signature = Signature(artifact.manifest.signature.inputs, outputs)
    operators = Operators(4, 3 if precision.is_quantized else 0, {})
    manifest = replace(artifact.manifest, signature=signature, precision=precision, operators=operators, task=task)
    return replace(artifact, manifest=manifest)


def seen(**outputs: np.ndarray) -> Observation:
    probes = {2: {name: array[:2] for name, array in outputs.items()}}
    return Observation("candidate", Actual("engine", "1", "cpu", Precision.FP32, 1), probes, dict(outputs))


def judged(
    artifact: Artifact,
    reference: dict[str, np.ndarray],
    candidate: dict[str, np.ndarray],
    *,
    targets: np.ndarray | None = None,
    limits: Limits | None = None,
) -> ParityReport:
    rows = len(next(iter(reference.values())))
    samples = Samples({"x": np.zeros((rows, 64), np.float32)}, targets, "s.npz")
    return judge(artifact, seen(**candidate), seen(**reference), samples, limits=limits)


def noisy(array: np.ndarray, decibels: float) -> np.ndarray:
    """With noise of this ratio."""
    power = np.sqrt(np.mean(array.astype(np.float64) ** 2)) * 10 ** (-decibels / 20)
    return (array + RANDOM.normal(0, power, array.shape)).astype(array.dtype)


def boxes_and_scores(rows: int = 40) -> np.ndarray:
    boxes, scores = RANDOM.random((rows, 4, 60)) * 640, RANDOM.random((rows, 3, 60)) * 0.1
    return np.concatenate([boxes, scores], axis=1).astype(np.float32)


def test_a_detector_whose_scores_all_became_0_fails_with_that_as_the_reason(tmp_path: Path) -> None:
    """It passed at 51 dB: its boxes reach 640, its scores .1."""
    output = boxes_and_scores()
    zeros = noisy(output, 51)
    zeros[:, 4:] = 0
    report = judged(network(tmp_path, TensorSpec("out", "float32", ("batch", 7, 60))), {"out": output}, {"out": zeros})
    assert report.outputs[0].sqnr_db == pytest.approx(53, abs=1)
    assert report.verdict is Verdict.FAILED
    assert report.reason == "'out', channels 4 to 6 of axis 1, values up to 0.1: 0.0 dB, expected at least 20 dB"


def test_parts_that_all_hold_pass_by_the_worst_of_them(tmp_path: Path) -> None:
    output = boxes_and_scores()
    candidate = np.concatenate([noisy(output[:, :4], 51), noisy(output[:, 4:], 24)], axis=1)
    report = judged(network(tmp_path, TensorSpec("out", "float32", ("batch", 7, 60))), {"out": output}, {"out": candidate})
    assert (report.verdict, report.reason) == (Verdict.PASSED, "24 dB")
    assert [part.channels for part in report.outputs[0].parts] == ["channels 0 to 3 of axis 1", "channels 4 to 6 of axis 1"]


@pytest.mark.parametrize("precision", [Precision.FP16, Precision.BF16])
def test_parts_count_in_half_precisions_too(tmp_path: Path, precision: Precision) -> None:
    output = boxes_and_scores()
    candidate = output.copy()
    candidate[:, 4:] = noisy(output[:, 4:], 10)
    artifact = network(tmp_path, TensorSpec("out", "float32", ("batch", 7, 60)), precision=precision)
    actual = Actual("engine", "1", "cpu", Precision.BF16 if precision is Precision.BF16 else Precision.FP32, 1)
    samples = Samples({"x": np.zeros((40, 64), np.float32)})
    report = judge(artifact, replace(seen(out=candidate), actual=actual), seen(out=output), samples)
    assert report.verdict is Verdict.FAILED
    assert "channels 4 to 6 of axis 1" in report.reason


def test_rows_of_numbers_that_nothing_calls_scores_have_no_top_1_agreement(tmp_path: Path) -> None:
    """An embedding ``[N, 128]`` failed by it: the largest of 128 numbers that are no classes changes with the least noise."""
    output = RANDOM.standard_normal((200, 128)).astype(np.float32)
    candidate = noisy(output, 26)
    assert (output.argmax(1) != candidate.argmax(1)).mean() > 0.01
    report = judged(network(tmp_path, TensorSpec("out", "float32", ("batch", 128))), {"out": output}, {"out": candidate})
    assert (report.verdict, report.reason, report.task, report.outputs[0].top1_agreement) == (Verdict.PASSED, "26 dB", None, None)


def test_what_the_manifest_the_user_labels_or_probabilities_say_is_the_task(tmp_path: Path) -> None:
    spec, output = TensorSpec("out", "float32", ("batch", 10)), RANDOM.standard_normal((400, 10)).astype(np.float32)
    plain = network(tmp_path, spec)
    said = replace(plain, manifest=replace(plain.manifest, task="classification"))
    named = replace(plain, manifest=replace(plain.manifest, labels=tuple("abcdefghij")))
    assert judged(plain, {"out": output}, {"out": output}).task is None
    for artifact, limits in ((said, None), (named, None), (plain, Limits(task="classification")), (plain, Limits(metric="accuracy"))):
        task = judged(artifact, {"out": output}, {"out": output}, limits=limits).task
        assert task is not None
        assert task.name == "top-1 agreement"
    labelled = judged(plain, {"out": output}, {"out": output}, targets=output.argmax(1)).task
    assert labelled is not None
    assert (labelled.name, labelled.candidate) == ("accuracy", 1.0)
    chances = np.exp(output) / np.exp(output).sum(1, keepdims=True)
    shown = judged(plain, {"out": chances}, {"out": chances}).task
    assert shown is not None
    assert shown.name == "top-1 agreement"


def test_a_metric_that_is_named_decides_in_float16_too(tmp_path: Path) -> None:
    output = RANDOM.standard_normal((1000, 10)).astype(np.float32)
    artifact = network(tmp_path, TensorSpec("out", "float32", ("batch", 10)), precision=Precision.FP16, task="classification")
    candidate = output * np.float32(1.5)
    assert judged(artifact, {"out": output}, {"out": candidate}).verdict is Verdict.FAILED
    report = judged(artifact, {"out": output}, {"out": candidate}, targets=output.argmax(1), limits=Limits(metric="accuracy"))
    assert report.verdict is Verdict.PASSED
    assert report.rule == "accuracy drop: 95 % interval up to 1 point passes, wholly above fails"
    spoilt = candidate.copy()
    spoilt[:100] *= -1
    report = judged(artifact, {"out": output}, {"out": spoilt}, targets=output.argmax(1), limits=Limits(metric="accuracy"))
    assert report.verdict is Verdict.FAILED


def test_outputs_beside_the_metric_must_hold_the_ratio(tmp_path: Path) -> None:
    """The value beside a policy, the embedding beside the scores: nobody looked at them."""
    specs = TensorSpec("scores", "float32", ("batch", 10)), TensorSpec("value", "float32", ("batch",))
    artifact = network(tmp_path, *specs, task="classification")
    scores, value = RANDOM.standard_normal((500, 10)).astype(np.float32), RANDOM.standard_normal(500).astype(np.float32)
    good = judged(artifact, {"scores": scores, "value": value}, {"scores": scores, "value": noisy(value, 30)})
    assert (good.verdict, good.reason) == (Verdict.PASSED, "top-1 agreement drop +0.00 points [+0.00, +0.76], n=500")
    bad = judged(artifact, {"scores": scores, "value": value}, {"scores": scores, "value": noisy(value, 5)})
    assert bad.verdict is Verdict.FAILED
    assert bad.reason.startswith("top-1 agreement drop +0.00 points [+0.00, +0.76], n=500; 'value': ")


def test_the_value_beside_a_policy_must_hold_the_ratio(tmp_path: Path) -> None:
    """It is an output of the task, but no move says whether it is right."""
    specs = TensorSpec("policy", "float32", ("batch", 10)), TensorSpec("value", "float32", ("batch", 1))
    artifact = network(tmp_path, *specs)
    policy, value = RANDOM.standard_normal((500, 10)).astype(np.float32), RANDOM.standard_normal((500, 1)).astype(np.float32)
    good = judged(artifact, {"policy": policy, "value": value}, {"policy": policy, "value": noisy(value, 30)})
    assert good.verdict is Verdict.PASSED
    assert good.reason.startswith("top-1 agreement of the policy drop")
    bad = judged(artifact, {"policy": policy, "value": value}, {"policy": policy, "value": noisy(value, 5)})
    assert bad.verdict is Verdict.FAILED
    assert bad.reason.endswith(" dB, expected at least 20 dB")
    ratio = float(bad.reason.partition("'value': ")[2].partition(" dB")[0])
    # The powers of 500 normal numbers and of 500 of noise each have a deviation of 6 %: .27 dB, .39 together.
    assert ratio == pytest.approx(5, abs=1.6), "four standard deviations"
    by_value = Limits(task="policy-value", metric="value-mae")
    targets = np.column_stack([policy.argmax(1), value + 1])
    other = judged(
        artifact, {"policy": policy, "value": value}, {"policy": noisy(policy, 5), "value": value}, targets=targets, limits=by_value
    )
    assert other.verdict is Verdict.FAILED
    assert "'policy': " in other.reason


def test_whole_numbers_beside_floats_have_no_ratio(tmp_path: Path) -> None:
    """An index that differs is another one, however far it is."""
    specs = TensorSpec("scores", "float32", ("batch", 10)), TensorSpec("best", "int64", ("batch", 3))
    artifact = network(tmp_path, *specs)
    scores = RANDOM.standard_normal((300, 10)).astype(np.float32)
    near = noisy(scores, 35)
    best = {name: np.argsort(-array, axis=1)[:, :3] for name, array in (("a", scores), ("b", near))}
    assert (best["a"] != best["b"]).any()
    report = judged(artifact, {"scores": scores, "best": best["a"]}, {"scores": near, "best": best["b"]})
    assert (report.verdict, report.reason) == (Verdict.PASSED, "35 dB")


def test_a_limit_in_percent_is_of_the_references_value(tmp_path: Path) -> None:
    output = RANDOM.standard_normal((2000, 10)).astype(np.float32)
    labels = np.where(np.arange(2000) < 1000, output.argmax(1), output.argmin(1))  # Right in half of them.
    spoilt = output.copy()
    spoilt[:20] *= -1
    artifact = network(tmp_path, TensorSpec("out", "float32", ("batch", 10)), task="classification")
    found = {
        percent: judged(artifact, {"out": output}, {"out": spoilt}, targets=labels, limits=Limits(percent, relative=True))
        for percent in (1.0, 2.0, 5.0)
    }
    assert [report.verdict for report in found.values()] == [Verdict.FAILED, Verdict.UNDECIDED, Verdict.PASSED]
    assert "at most 1 point;" in found[2.0].reason, "two percent of a half"
    assert found[5.0].rule.endswith("up to 2.5 points passes, wholly above fails")


def test_targets_of_another_kind_and_names_that_nobody_knows_are_told(tmp_path: Path) -> None:
    output = RANDOM.standard_normal((20, 10)).astype(np.float32)
    artifact = network(tmp_path, TensorSpec("out", "float32", ("batch", 10)), task="classification")
    with pytest.raises(DataError, match="targets that are no class labels"):
        judged(artifact, {"out": output}, {"out": output}, targets=np.zeros((20, 3)))
    samples = Samples({"x": np.zeros((20, 64), np.float32)})
    with pytest.raises(UnknownNameError, match="metric 'acuracy'"):
        Criterion.of(artifact.manifest, samples, Limits(metric="acuracy"), {"out": output})
    with pytest.raises(UnknownNameError, match="task 'clasification'"):
        Criterion.of(artifact.manifest, samples, Limits(task="clasification"), {"out": output})
