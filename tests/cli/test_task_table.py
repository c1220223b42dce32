"""Every task, by arrays in a file, by the folder or table that such data usually are, and from Python code, through every command: the
metric that they show is that of the same outputs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.mark import ParameterSet
from click.testing import CliRunner

from tests.cli.task_data import FORMS, case_of
from tests.tasks.examples import EXAMPLES
from toolkit.cli import toolkit
from toolkit.core import Verdict
from toolkit.pipeline.data import Given, Wanted, find_reader
from toolkit.tasks import find_task


def call(*words: str) -> Any:
    result = CliRunner().invoke(toolkit, [*words, "--json"], catch_exceptions=False)
    assert result.exit_code in {0, 1}, result.output
    return json.loads(result.stdout)


def cells() -> Iterator[ParameterSet]:
    """Every task by every form. CI runs each task by one form, by turns, in all commands; `make task-table` runs all, half an hour."""
    for place, name in enumerate(EXAMPLES):
        for other, form in enumerate(FORMS):
            yield pytest.param(name, form, marks=() if (place + other) % len(FORMS) == 0 else pytest.mark.table)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "form"), [*cells()])
def test_every_command_by_every_form_of_data(name: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The forms of one task have the same samples, so that what one of them made the others find in the cache."""
    monkeypatch.chdir(tmp_path)
    case, task = case_of(name), find_task(name)
    title = task.metrics[0].title
    words = ("net.onnx", "--to", "onnx", "--data", case.given(form), "--task", name, "--max-drop", "300%")  # Of few samples.
    rows = call("convert", *words, "--precision", "fp32,int8")
    for row in rows:
        manifest = row["artifact"]["manifest"]
        assert manifest["task"] == name
        metric = manifest["evidence"][0]["task"]
        assert metric["name"] == title
        # One layer has one range: what a detector's scores lose by that is judged, and told.
        assert manifest["precision"] == "int8" or manifest["evidence"][0]["verdict"] == Verdict.PASSED, manifest["evidence"][0]["reason"]
    check_evaluation(call("evaluate", "artifacts/net/onnx-fp32", "--data", words[4], "--task", name), name, metric["reference"])
    (quantized,) = call("quantize", *words)
    assert quantized["artifact"]["manifest"]["evidence"][0]["task"]["name"] == title
    optimized = call("optimize", *words, "--precision", "fp32,int8", "--budget", "size", "--overwrite")
    assert optimized["shipped"]["artifact"].startswith("onnx-")
    assert title in optimized["shipped"]["evidence"] or optimized["shipped"]["artifact"] == "onnx-fp32"


def check_evaluation(found: Any, name: str, reference: float) -> None:
    """Every metric of the task, and the first as the reference had it in parity."""
    if name == "classification":  # Which has figures of its own.
        assert found["accuracy"]["value"] == pytest.approx(reference)
        return
    values = {each["name"]: each for each in found["metrics"]}
    assert [*values] == [*find_task(name).metric_names]
    decisive = values[find_task(name).metrics[0].name]
    assert decisive["value"] == pytest.approx(reference, abs=1e-6)
    assert decisive["low"] <= decisive["value"] <= decisive["high"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_forms_of_a_task_are_the_same_samples(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bit for bit, with their targets: else the table's columns would tell of other things."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    case = case_of(name)
    found = []
    for form in FORMS:
        word = case.given(form)
        samples = find_reader(word).read(Given(word=word), Wanted(signature=case.signature)).samples
        assert samples.targets is not None
        rows = sorted((key, row.tobytes()) for key, row in zip(samples.row_keys(), samples.targets, strict=True))
        found.append((samples.targets.dtype, rows))
    assert len(found[0][1]) == len(case.targets)
    assert found[0] == found[1] == found[2]
