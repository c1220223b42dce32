"""Rows that several files answered are judged as those of one, each with its own label and its own answer of the reference."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.tiny import tiny_artifact, tiny_samples
from toolkit.core import Precision, Samples, Signature, TensorSpec, paired_difference
from toolkit.runtimes.base import Actual
from toolkit.runtimes.parity import Observation, Part, judge, pooled, whole_batches

ACTUAL = Actual("onnxruntime", "1", "cpu", Precision.FP32, 1)


def answers(classes: np.ndarray) -> np.ndarray:
    return np.array([np.arange(10) == each for each in classes], np.float32)


def seen(classes: np.ndarray, **more: np.ndarray) -> Observation:
    """An observation whose ``logits`` say these classes."""
    return Observation("artifact", ACTUAL, {1: {"logits": answers(np.zeros(1, int))}}, {"logits": answers(classes), **more})


def part(rows: int, *, lost: int, gained: int, seed: int) -> Part:
    """A reference that errs in the last ten rows, and a candidate that also does in the first `lost`, but not in the last `gained`."""
    truth = np.random.default_rng(seed).integers(0, 10, rows)
    reference, candidate = truth.copy(), truth.copy()
    reference[-10:] = (truth[-10:] + 1) % 10
    candidate[-10 : rows - gained] = reference[-10 : rows - gained]
    candidate[:lost] = (truth[:lost] + 2) % 10
    return Part(seen(candidate), seen(reference), Samples({"x": np.arange(rows)[:, None] + 1000.0 * seed}, truth, "s.npz"))


def test_parts_are_counted_as_one(tmp_path: Path) -> None:
    whole = pooled([part(192, lost=3, gained=1, seed=1), part(48, lost=2, gained=0, seed=2)])
    made = tiny_artifact(tmp_path / "net", Precision.INT8)
    report = judge(made, whole.candidate, whole.reference, whole.samples)
    assert report.task is not None
    assert (report.task.samples, report.task.differing) == (240, 6)
    assert (240 * report.task.reference, 240 * report.task.candidate) == (220, 216)
    # What the two make together, whatever the order of the rows.
    first, second = np.zeros(240, bool), np.zeros(240, bool)
    first[:220] = second[5:221] = True
    drop = paired_difference(first, second)
    assert np.allclose([report.task.drop, report.task.drop_low, report.task.drop_high], [100 * drop.value, 100 * drop.low, 100 * drop.high])
    assert report.samples_sha256 == whole.samples.sha256


def test_a_fixed_batch_keeps_rows_and_labels_together() -> None:
    signature = Signature((TensorSpec("x", "float32", (32, 1)),), (TensorSpec("logits", "float32", (32, 10)),))
    free = replace(signature, inputs=(TensorSpec("x", "float32", ("batch", 1)),))
    parts = []
    for each in (part(100, lost=0, gained=10, seed=1), part(48, lost=0, gained=10, seed=2)):
        rows = whole_batches(each.samples, signature, free)
        answered = replace(each.candidate, samples={"logits": each.candidate.samples["logits"][: len(rows)]})
        parts.append(Part(answered, each.reference, rows))
    whole = pooled(parts)
    assert whole.samples.targets is not None
    assert [len(side.samples["logits"]) for side in (whole.candidate, whole.reference)] == [len(whole.samples), 128] == [128, 128]
    assert (whole.candidate.samples["logits"].argmax(axis=1) == whole.samples.targets).all()
    assert len(whole_batches(tiny_samples(50), free)) == 50


def test_an_output_without_the_batch_in_front_keeps_what_has_its_shape() -> None:
    one, two = part(64, lost=0, gained=0, seed=1), part(20, lost=0, gained=0, seed=2)
    states = [np.zeros((5 * 2, 32, 3)), np.zeros((5, 20, 3))]
    both = []
    for each, s in zip((one, two), states, strict=True):
        sides = [replace(side, samples={**side.samples, "states": s}) for side in (each.candidate, each.reference)]
        both.append(Part(sides[0], sides[1], each.samples))
    whole = pooled(both)
    assert whole.candidate.samples["states"].shape == whole.reference.samples["states"].shape == (10, 32, 3)
    assert len(whole.candidate.samples["logits"]) == 84


def test_a_part_that_could_not_be_answered_is_the_wholes_problem(tmp_path: Path) -> None:
    good, bad = part(64, lost=0, gained=0, seed=1), part(20, lost=0, gained=0, seed=2)
    none = Observation("twin", ACTUAL, {}, {}, "output 'y' at batch 7: expected float32[7,10], got float32[1,10]")
    whole = pooled([good, Part(none, bad.reference, bad.samples)])
    report = judge(tiny_artifact(tmp_path / "net", Precision.INT8), whole.candidate, whole.reference, whole.samples)
    assert (report.verdict, report.reason) == ("failed", none.problem)
