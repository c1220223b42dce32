"""How samples are divided is said before the work, with what they can confirm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from toolkit.core import Format, Manifest, Precision, Samples, Signature, TensorSpec, confirmable_drop, needed_samples, shortfall
from toolkit.pipeline.source.plan import plan_samples
from toolkit.pipeline.source.samples import Split
from toolkit.tasks import Limits

_SIGNATURE = Signature((TensorSpec("x", "float32", ("batch", 2)),), (TensorSpec("y", "float32", ("batch", 10)),))
SCORES = Manifest("net", Format.ONNX, Precision.FP32, _SIGNATURE, {}, edge="", task="classification")
IMAGES = replace(SCORES, signature=replace(_SIGNATURE, outputs=(TensorSpec("y", "float32", ("batch", 3, 8, 8)),)), task="")


def split(calibration: int, evaluation: int, *, labelled: bool = True, notes: tuple[str, ...] = ()) -> Split:
    rows = [
        Samples({"x": np.zeros((n, 2))}, np.zeros(n, int) if labelled else None, "s.npz", notes=notes) for n in (calibration, evaluation)
    ]
    return Split(rows[0], rows[1])


@pytest.mark.parametrize("max_drop", [0.1, 0.5, 1.0, 2.0, 7.3])
def test_the_number_needed_is_the_smallest_that_the_interval_passes(max_drop: float) -> None:
    needed = needed_samples(max_drop)
    assert needed is not None
    assert 100 * shortfall(needed, needed).high <= max_drop < 100 * shortfall(needed - 1, needed - 1).high
    assert needed_samples(0) is None


@pytest.mark.parametrize("rows", [1, 96, 192, 381, 10_000])
def test_these_samples_confirm_what_is_named(rows: int) -> None:
    least = 100 * shortfall(rows, rows).high
    assert least <= confirmable_drop(rows) < least + 0.1


def test_240_rows_are_48_and_192_and_that_is_too_few_for_a_point() -> None:
    plan = plan_samples(split(48, 192), SCORES, limits=Limits(), in_integers=True)
    assert (plan.metric, plan.needed) == ("accuracy", 381)
    assert plan.lines == (
        "samples of s.npz: 48 calibrate, 192 verify by accuracy",
        "samples: to confirm a drop of at most 1 point takes about 381 where no answer differs, more where some do; "
        "add samples, or with these 192 --max-drop 2",
    )


def test_with_folds_the_rows_that_calibrate_verify_too() -> None:
    both = replace(split(48, 192), twin=split(48, 48).evaluation)
    assert (
        plan_samples(both, SCORES, limits=Limits(), in_integers=True)
        .lines[1]
        .endswith("with these 192 --max-drop 2; --folds lets 240 verify")
    )
    plan = plan_samples(both, SCORES, limits=Limits(), in_integers=True, folds=True)
    assert (plan.evaluation, plan.folds) == (192, 48)
    assert plan.lines == (
        "samples of s.npz: 48 calibrate, 192 verify by accuracy",
        "samples: those 48 verify too: of what they calibrate, twins answer that 48 others calibrate",
        "samples: to confirm a drop of at most 1 point takes about 381 where no answer differs, more where some do; "
        "add samples, or with these 240 --max-drop 1.6",
    )


def test_half_of_them_choose_layers() -> None:
    fewer, choice = split(48, 96, labelled=False), Samples({"x": np.zeros((96, 2))})
    lines = plan_samples(fewer, SCORES, limits=Limits(), in_integers=True, choice=choice).lines
    assert lines[0] == "samples of s.npz: 48 calibrate, 96 choose layers, 96 verify by top-1 agreement"
    assert lines[1].endswith("with these 96 --max-drop 3.9")
    twin = plan_samples(replace(fewer, twin=choice), SCORES, limits=Limits(), in_integers=True, choice=choice)
    assert twin.lines == lines, "whoever chooses layers has no folds"


def test_some_choose_layers_and_verify_all_else() -> None:
    plan = plan_samples(split(48, 192), SCORES, limits=Limits(), in_integers=True, choice=Samples({"x": np.zeros((96, 2))}), among=True)
    assert plan.lines[:2] == (
        "samples of s.npz: 48 calibrate, 192 verify by accuracy",
        "samples: 96 of those 192 choose layers for float where int8 loses too much; the others verify that",
    )


@pytest.mark.parametrize(("rows", "enough"), [(380, False), (381, True)])
def test_enough_samples_are_not_asked_for_more(rows: int, enough: bool) -> None:
    line = plan_samples(split(48, rows), SCORES, limits=Limits(), in_integers=True).lines[1]
    assert "takes about 381" in line
    assert ("add samples" not in line) == enough


def test_no_limit_where_nothing_is_in_integers_and_none_that_nothing_confirms() -> None:
    assert len(plan_samples(split(48, 192), SCORES, limits=Limits()).lines) == 1
    assert plan_samples(split(48, 192), SCORES, limits=Limits(0.0), in_integers=True).lines[1] == (
        "samples: a drop of at most 0 points cannot be confirmed by any number of samples: raise --max-drop"
    )


def test_targets_that_nothing_uses_and_what_was_cast_are_said() -> None:
    plan = plan_samples(split(0, 40, notes=("input 'x' was cast",)), IMAGES, limits=Limits(), in_integers=True)
    assert plan.lines == (
        "samples of s.npz: 40 verify",
        "samples: input 'x' was cast",
        "samples: targets are not used: nothing says what they mean; name the --task or --metric",
    )


def test_a_metric_that_is_named_is_said_and_a_limit_in_percent_needs_no_number() -> None:
    named = plan_samples(split(48, 192), SCORES, limits=Limits(2.0, metric="macro-f1"), in_integers=True)
    assert (named.metric, named.needed) == ("F1, mean over classes", 189)
    relative = plan_samples(split(48, 192), SCORES, limits=Limits(2.0, relative=True), in_integers=True)
    assert relative.lines == ("samples of s.npz: 48 calibrate, 192 verify by accuracy",)
    agreement = plan_samples(split(48, 192, labelled=False), SCORES, limits=Limits(metric="top5"), in_integers=True)
    assert agreement.metric == "top-5 accuracy against the reference's answers"
