"""The rules of parity: what passes, what fails, and what is not decided."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.tiny import tiny_artifact, tiny_samples
from toolkit.core import Artifact, DataError, Operators, Precision, Samples, Signature, TensorSpec, Verdict
from toolkit.runtimes.base import Actual
from toolkit.runtimes.parity import BATCH_SIZES, Observation, batch_sizes, judge, observe, probe
from toolkit.runtimes.parity.compare import compare
from toolkit.tasks import Limits


def seen(logits: np.ndarray, *, precision: Precision = Precision.FP32, name: str = "logits") -> Observation:
    actual = Actual("engine", "1", "cpu", precision, 1)
    return Observation("candidate", actual, {2: {name: logits[:2]}}, {name: logits})


def scores(rows: int = 1000) -> tuple[np.ndarray, Samples]:
    """Class scores whose largest entry is the label by a margin of two or more."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 10, rows)
    logits = random.uniform(-1, 1, (rows, 10)).astype(np.float32)
    logits[np.arange(rows), labels] += 4
    return logits, Samples({"x": np.zeros((rows, 64), np.float32)}, labels)


def spoilt(logits: np.ndarray, count: int) -> np.ndarray:
    """The first `count` rows' labels wrong."""
    wrong = logits.copy()
    wrong[:count] = -wrong[:count]
    return wrong


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    return tiny_artifact(tmp_path)


def of(artifact: Artifact, precision: Precision, quantized: int = 3) -> Artifact:
    operators = Operators(4, quantized if precision.is_quantized else 0, {})
    return replace(artifact, manifest=replace(artifact.manifest, precision=precision, operators=operators))


@pytest.mark.parametrize(
    ("error", "verdict"), [(0.5e-4, Verdict.PASSED), (5e-4, Verdict.PASSED), (5e-3, Verdict.FAILED), (0.1, Verdict.FAILED)]
)
def test_fp32_is_a_tolerance_or_a_ratio_above_that_of_fp16(artifact: Artifact, error: float, verdict: Verdict) -> None:
    logits, samples = scores()
    report = judge(artifact, seen(logits + np.float32(error)), seen(logits), samples)
    assert report.verdict is verdict
    assert report.outputs[0].max_abs == pytest.approx(error, rel=0.01)
    assert ("dB" in report.reason) == (error == 5e-4), "what misses the tolerance says by what it passed"


@pytest.mark.parametrize(
    ("precision", "noise", "verdict"),
    [
        (Precision.FP16, 1e-3, Verdict.PASSED),
        (Precision.FP16, 0.1, Verdict.FAILED),
        (Precision.BF16, 0.1, Verdict.PASSED),
        (Precision.BF16, 0.5, Verdict.FAILED),
    ],
)
def test_half_precisions_are_a_ratio(artifact: Artifact, precision: Precision, noise: float, verdict: Verdict) -> None:
    logits, samples = scores()
    noisy = (logits + np.random.default_rng(1).normal(0, noise, logits.shape)).astype(np.float32)
    computed = Precision.BF16 if precision is Precision.BF16 else Precision.FP32
    assert judge(of(artifact, precision), seen(noisy, precision=computed), seen(logits), samples).verdict is verdict


@pytest.mark.parametrize(("wrong", "verdict"), [(0, Verdict.PASSED), (1, Verdict.UNDECIDED), (9, Verdict.FAILED)])
def test_few_rows_that_differ_do_not_fail_half_precisions(artifact: Artifact, wrong: int, verdict: Verdict) -> None:
    """Of fifty rows and two probes: one is 98 %, below the floor of 99, and its interval reaches it."""
    logits, samples = scores(50)
    logits[:, :2] = 10 + np.arange(2) / 1000  # Two classes that are nearly as good: another rounding turns them round.
    turned = logits.copy()
    turned[2 : 2 + wrong, :2] = logits[2 : 2 + wrong, 1::-1]
    report = judge(of(artifact, Precision.FP16), seen(turned), seen(logits), samples)
    assert report.outputs[0].rows == 52
    assert report.verdict is verdict, report.reason
    assert ("inconclusive: 52 rows do not tell; add samples" in report.reason) == (verdict is Verdict.UNDECIDED)
    assert ("n=52, expected at least 99%" in report.reason) == (verdict is not Verdict.PASSED)


@pytest.mark.parametrize(("wrong", "verdict"), [(0, Verdict.PASSED), (5, Verdict.UNDECIDED), (30, Verdict.FAILED)])
def test_int8_is_the_drop_of_the_metric(artifact: Artifact, wrong: int, verdict: Verdict) -> None:
    logits, samples = scores()
    report = judge(of(artifact, Precision.INT8), seen(spoilt(logits, wrong)), seen(logits), samples)
    assert report.verdict is verdict
    assert report.task is not None
    assert report.task.drop == pytest.approx(wrong / 10)
    assert report.task.differing == wrong


def test_the_limit_is_the_callers(artifact: Artifact) -> None:
    logits, samples = scores()
    report = judge(of(artifact, Precision.INT8), seen(spoilt(logits, 30)), seen(logits), samples, limits=Limits(max_drop=10))
    assert report.verdict is Verdict.PASSED


def test_targets_that_are_no_labels_are_no_agreement(artifact: Artifact) -> None:
    """They were left out, and int8 was judged by another metric than its user had asked for; labels of other classes were just wrong."""
    logits, samples = scores(400)
    assert samples.targets is not None
    for targets in (np.eye(10)[samples.targets], samples.targets + 1):
        with pytest.raises(DataError, match="samples 'some'"):
            judge(of(artifact, Precision.INT8), seen(logits), seen(logits), Samples(samples.inputs, targets, "some"))


def test_few_samples_prove_little(artifact: Artifact) -> None:
    logits, samples = scores(50)
    report = judge(of(artifact, Precision.INT8), seen(logits), seen(logits), samples)
    assert report.verdict is Verdict.UNDECIDED
    assert report.reason.endswith("inconclusive: 50 samples cannot confirm a drop of at most 1 point; add samples or raise --max-drop")


def test_without_labels_the_metric_is_agreement(artifact: Artifact) -> None:
    logits, samples = scores()
    report = judge(of(artifact, Precision.INT8), seen(spoilt(logits, 40)), seen(logits), Samples(samples.inputs))
    assert report.task is not None
    assert (report.task.name, report.task.candidate, report.verdict) == ("top-1 agreement", 0.96, Verdict.FAILED)


@pytest.mark.parametrize("labelled", [True, False])
def test_a_limit_inside_the_interval_is_not_decided(artifact: Artifact, labelled: bool) -> None:
    """Three of 240: a drop of 1.25 points, above the limit of one, but the truth may be below it."""
    logits, samples = scores(240)
    samples = samples if labelled else Samples(samples.inputs)
    report = judge(of(artifact, Precision.INT8), seen(spoilt(logits, 3)), seen(logits), samples)
    assert report.task is not None
    assert report.task.drop == pytest.approx(1.25)
    assert report.task.drop_low < 1 < report.task.drop_high
    assert report.verdict is Verdict.UNDECIDED
    assert report.reason.endswith(
        "n=240; inconclusive: 240 samples cannot confirm a drop of at most 1 point; add samples or raise --max-drop"
    )
    assert "wholly above fails" in report.rule


@pytest.mark.parametrize("wrong", [0, 1, 5, 400])
def test_agreement_never_rises_above_that_of_the_reference_with_itself(artifact: Artifact, wrong: int) -> None:
    logits, samples = scores(400)
    report = judge(of(artifact, Precision.INT8), seen(spoilt(logits, wrong)), seen(logits), Samples(samples.inputs))
    assert report.task is not None
    assert 0 <= report.task.drop_low <= report.task.drop <= report.task.drop_high
    assert "[-" not in report.reason


@pytest.mark.parametrize("precision", Precision)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_fail_whatever_the_precision(artifact: Artifact, precision: Precision, value: float) -> None:
    logits, samples = scores()
    bad = logits.copy()
    bad[7, 3] = value
    computed = Precision.BF16 if precision is Precision.BF16 else Precision.FP32
    report = judge(of(artifact, precision), seen(bad, precision=computed), seen(logits), samples)
    assert (report.verdict, report.reason) == (Verdict.FAILED, "NaN or infinity in the outputs")


@pytest.mark.parametrize(("drawn", "todo"), [(True, "give --data, or --set"), (False, "no result can be compared")])
def test_nan_of_the_trained_network_itself_is_said(artifact: Artifact, drawn: bool, todo: str) -> None:
    """As the logarithm of a random frequency: the candidate is as right as it can be."""
    logits, samples = scores()
    bad = logits.copy()
    bad[7, 3] = np.nan
    report = judge(artifact, seen(bad), seen(bad), replace(samples, drawn=drawn))
    assert report.verdict is Verdict.FAILED
    assert report.reason.startswith(f"NaN or infinity in 'logits' of the trained network itself: {todo}")


def test_another_precision_than_asked_fails(artifact: Artifact) -> None:
    logits, samples = scores()
    report = judge(artifact, seen(logits, precision=Precision.BF16), seen(logits), samples)
    assert report.reason == "engine computed in bf16, not in fp32"


def test_nothing_quantized_fails(artifact: Artifact) -> None:
    logits, samples = scores()
    assert judge(of(artifact, Precision.INT8, quantized=0), seen(logits), seen(logits), samples).verdict is Verdict.FAILED


def test_a_wrong_name_shape_or_dtype_fails(artifact: Artifact) -> None:
    logits, samples = scores()
    for wrong in (seen(logits, name="scores"), seen(logits[:, :9]), seen(logits.astype(np.float64))):
        report = judge(artifact, wrong, seen(logits), samples)
        assert report.verdict is Verdict.FAILED
        assert "expected" in report.reason


def test_outputs_that_are_no_scores_have_a_ratio_only() -> None:
    image = np.random.default_rng(0).random((4, 1, 5, 5))
    error = compare("image", [(image, image + 0.01)])
    assert error.top1_agreement is None
    assert error.sqnr_db == pytest.approx(10 * np.log10(np.sum(image**2) / (100 * 0.01**2)), rel=1e-6)


def test_equal_outputs_have_no_ratio() -> None:
    assert compare("y", [(np.ones((2, 3)), np.ones((2, 3)))]).sqnr_db is None


def test_probes_have_no_symmetry_and_stay_in_the_samples_range() -> None:
    signature = Signature((TensorSpec("x", "float32", ("batch", 6, 6)), TensorSpec("t", "int64", ("batch", 3))), ())
    x, tokens = probe(signature, batch=4)
    assert not np.allclose(x, x.transpose(0, 2, 1))
    assert not np.allclose(x, x[:, ::-1])
    assert set(np.unique(tokens)) <= {0, 1}
    assert np.array_equal(x, probe(signature, batch=4)[0])
    samples = Samples({"x": np.random.default_rng(0).random((9, 6, 6)).astype(np.float32), "t": np.full((9, 3), 7)})
    x, tokens = probe(signature, batch=4, samples=samples)
    assert 0 <= x.min() < x.max() <= 1
    assert set(np.unique(tokens)) == {7}
    assert batch_sizes(signature) == BATCH_SIZES
    assert batch_sizes(Signature((TensorSpec("x", "float32", (5, 2)),), ())) == (5,)


def test_an_engine_is_observed_in_a_process_of_its_own(artifact: Artifact) -> None:
    samples = tiny_samples()
    observation = observe(artifact, "onnxruntime", samples)
    assert observation.problem == ""
    assert sorted(observation.probes) == list(BATCH_SIZES)
    assert observation.samples["logits"].shape == (len(samples), 10)


def test_a_signature_that_promises_too_much_is_the_problem(tmp_path: Path) -> None:
    artifact = tiny_artifact(tmp_path)
    wrong = replace(artifact.manifest.signature, outputs=(TensorSpec("logits", "float32", ("batch", 11)),))
    (artifact.path / "manifest.json").write_bytes(replace(artifact.manifest, signature=wrong).to_json())
    try:
        problem = observe(Artifact.load(artifact.path), "onnxruntime", tiny_samples()).problem
    except Exception as error:
        problem = str(error)
    assert "11" in problem
    assert "10" in problem
