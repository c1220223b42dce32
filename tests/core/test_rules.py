"""The rules of parity: every precision has one, the documents and the command line say the same, and a drop is judged by its interval."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pytest

from toolkit.cli import toolkit
from toolkit.core import (
    ADD_SAMPLES,
    MAX_DROP,
    RULES,
    Interval,
    Precision,
    TaskMetric,
    Verdict,
    inconclusive,
    paired_difference,
    points,
    rule_for,
    shortfall,
    wilson,
)
from toolkit.tasks import Limits

DOCS = Path(__file__).resolve().parents[2] / "docs"


def metric(drop: Interval) -> TaskMetric:
    return TaskMetric("accuracy", 100, 0.9, 0.9 - drop.value, 100 * drop.value, 100 * drop.low, 100 * drop.high, 0)


ACCURACY = metric(Interval(0.0, 0.0, 0.0))


def test_every_precision_has_one_rule() -> None:
    for precision in Precision:
        assert [rule for rule in RULES if precision in rule.precisions] == [rule_for(precision)]
        assert (rule_for(precision).max_drop is not None) == precision.is_quantized
        assert rule_for(precision).tolerance or rule_for(precision).floor


def test_the_texts_are_the_rules() -> None:
    top1 = "top-1 agreement of class scores at least 99 %, its 95 % interval wholly below fails"
    floor = f"in every group of channels with a range of its own; {top1}"
    assert rule_for(Precision.FP32).text(ACCURACY) == f"every value within 1e-4 + 1e-3 of the reference's size, or at least 60 dB {floor}"
    assert rule_for(Precision.FP16).text(ACCURACY) == f"at least 40 dB {floor}"
    named = rule_for(Precision.FP16, max_drop=0.5, named=True)
    assert named.text(ACCURACY) == "accuracy drop: 95 % interval up to 0.5 points passes, wholly above fails"
    assert rule_for(Precision.FP32, max_drop=0.5, named=True) == rule_for(Precision.FP32), "float32 is the same, whatever it is for"
    half = rule_for(Precision.INT8, max_drop=0.5)
    assert half.text(ACCURACY) == "accuracy drop: 95 % interval up to 0.5 points passes, wholly above fails"
    assert half.text() == f"at least 20 dB {floor}"
    error = replace(ACCURACY, name="MAE", unit="px", higher_is_better=False)
    assert half.text(error) == "MAE rise: 95 % interval up to 0.5 px passes, wholly above fails"
    assert rule_for(Precision.FP16, max_drop=0.5) == rule_for(Precision.FP16)
    assert (points(1), points(0), points(2.5)) == ("1 point", "0 points", "2.5 points")


def test_the_documents_say_the_same() -> None:
    parity, debugging = ((DOCS / name).read_text(encoding="utf-8") for name in ("parity.md", "debugging.md"))
    for rule in RULES:
        names = ", ".join(rule.precisions)
        text = rule.text() if rule.max_drop is None else f"{rule.text(ACCURACY)}; without a metric: {rule.text()}"
        assert f"| {names} | {text} |" in parity
        assert f"| {names} | {rule.layer_text()} |" in debugging


def test_every_command_that_judges_takes_limit_task_and_metric() -> None:
    """Not named, they are what the bundle remembers, and else the rules' own."""
    context = click.Context(toolkit)
    commands = {name: toolkit.get_command(context, name) for name in toolkit.list_commands(context)}
    names = ("--max-drop", "--task", "--metric")
    found = {
        own: {name for name in names for option in command.params if isinstance(option, click.Option) and name in option.opts}
        for own, command in commands.items()
        if command is not None
    }
    judging = ("convert", "quantize", "optimize", "verify", "bundle", "gate")
    wanted = {name: {*names} for name in judging} | {"evaluate": {"--task", "--metric"}}
    assert {name: options for name, options in found.items() if options} == wanted
    assert Limits().max_drop == MAX_DROP


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.5, 1.0, Verdict.PASSED),
        (-0.5, 1.01, Verdict.UNDECIDED),
        (0.99, 5.0, Verdict.UNDECIDED),
        (1.0, 5.0, Verdict.UNDECIDED),
        (1.01, 5.0, Verdict.FAILED),
    ],
)
def test_a_drop_is_judged_by_its_whole_interval(low: float, high: float, verdict: Verdict) -> None:
    task = TaskMetric("accuracy", 100, 0.9, 0.88, (low + high) / 2, low, high, 3)
    assert rule_for(Precision.INT8).judge_drop(task) is verdict
    assert rule_for(Precision.INT8, max_drop=10).judge_drop(task) is Verdict.PASSED


@pytest.mark.parametrize(
    ("same", "rows", "verdict"),
    [
        (50, 50, Verdict.PASSED),
        (49, 50, Verdict.UNDECIDED),  # 98 % [89.5, 99.6]
        (45, 50, Verdict.FAILED),  # 90 % [78.6, 95.7]
        (990, 1000, Verdict.PASSED),
        (985, 1000, Verdict.UNDECIDED),
        (980, 1000, Verdict.FAILED),  # 98 % [96.9, 98.7]
    ],
)
def test_an_agreement_below_the_floor_fails_only_where_its_interval_is_below(same: int, rows: int, verdict: Verdict) -> None:
    floor = rule_for(Precision.FP16).floor
    assert floor is not None
    assert floor.judge_agreement(wilson(same, rows)) is verdict


def test_what_too_few_samples_means_is_said_in_one_way() -> None:
    assert f"{inconclusive(replace(ACCURACY, samples=192), 1.0)}; {ADD_SAMPLES}" == (
        "inconclusive: 192 samples cannot confirm a drop of at most 1 point; add samples or raise --max-drop"
    )


@pytest.mark.parametrize("samples", [300, 2000])
def test_a_net_at_the_limit_is_seldom_passed_or_failed(samples: int) -> None:
    """A thousand evaluations of nets that lose exactly one point: each wrong verdict comes from one tail of the interval, 2.5 %."""
    generator = np.random.default_rng(0)
    rule = rule_for(Precision.INT8)
    found: list[Verdict] = []
    for _ in range(1000):
        u = generator.random(samples)
        found.append(rule.judge_drop(metric(paired_difference(u < 0.90, (u < 0.88) | (u > 0.99)))))
    # Standard error half a percent; score intervals of small shares are a little liberal on one side and conservative on the other.
    assert found.count(Verdict.FAILED) / 1000 < 0.045
    assert found.count(Verdict.PASSED) / 1000 < 0.045


@pytest.mark.parametrize("samples", [300, 2000])
def test_a_copy_that_agrees_in_99_of_100_is_seldom_passed_or_failed(samples: int) -> None:
    generator = np.random.default_rng(0)
    rule = rule_for(Precision.INT8)
    found = [rule.judge_drop(metric(shortfall(int(generator.binomial(samples, 0.99)), samples))) for _ in range(1000)]
    assert found.count(Verdict.FAILED) / 1000 < 0.045
    assert found.count(Verdict.PASSED) / 1000 < 0.045
