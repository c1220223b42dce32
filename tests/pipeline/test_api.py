"""The commands as functions: networks and data in memory, and the same results as the command line's."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import toolkit
from toolkit.cli import toolkit as commands
from toolkit.core import DataError, InputError, Samples, Signature, TensorSpec, ToolkitError, UnknownNameError, Verdict
from toolkit.core.measurement import Protocol
from toolkit.pipeline import api
from toolkit.pipeline.in_memory import named_data, specs_of
from toolkit.pipeline.source.samples import split_samples

ROWS = 420


class Two(torch.nn.Module):
    """Two inputs, of which one is a signal; class scores."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.wave, self.about, self.out = torch.nn.Conv1d(4, 8, 3, padding=1), torch.nn.Linear(6, 8), torch.nn.Linear(8, 3)

    def forward(self, signal: torch.Tensor, about: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.out(torch.relu(self.wave(signal).mean(2) + self.about(about)))
        return scores


EXAMPLES = (torch.zeros(2, 4, 20), torch.zeros(2, 6))
NET = Two()


def data() -> dict[str, Any]:
    random = np.random.default_rng(0)
    inputs = {
        "signal": random.standard_normal((ROWS, 4, 20)).astype("float32"),
        "about": random.standard_normal((ROWS, 6)).astype("float32"),
    }
    with torch.no_grad():
        return {**inputs, "targets": NET(*map(torch.tensor, inputs.values())).argmax(1).numpy()}


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> api.Converted:
    told: list[str] = []
    NET.train()
    bundle = toolkit.convert(
        NET,
        EXAMPLES,
        to=["onnx"],
        precision=["fp32", "int8"],
        data=data(),
        max_drop=5,
        out=tmp_path_factory.mktemp("bundles"),
        on_progress=lambda name, event: told.append(f"{name} {event}"),
    )
    assert NET.training, "a copy is exported: training may go on"
    assert "onnx-int8 verified" in told
    return bundle


def test_a_module_and_arrays_become_a_verified_bundle(converted: api.Converted) -> None:
    assert (converted.path.name, converted.passed) == ("Two", True)
    assert [row.target for row in converted.rows] == ["onnx-fp32", "onnx-int8"]
    artifact = converted.rows[1].artifact
    assert artifact is not None
    assert artifact.manifest.task == "classification"
    task = artifact.manifest.evidence[0].task
    assert task is not None
    assert (task.name, task.samples) == ("accuracy", ROWS - ROWS // 5)
    with toolkit.load(converted.path / "onnx-fp32") as session:
        arrays = data()
        answers = session.run({"signal": arrays["signal"][:3], "about": arrays["about"][:3]})[0]
    with torch.no_grad():
        expected = NET.eval()(torch.tensor(arrays["signal"][:3]), torch.tensor(arrays["about"][:3]))
    np.testing.assert_allclose(answers, expected.numpy(), atol=1e-5)


def test_a_notebook_shows_what_passed(converted: api.Converted) -> None:
    html = converted._repr_html_()
    assert html.startswith("<table>")
    assert "<td>onnx-int8</td><td>passed</td><td>accuracy drop" in html
    assert "&#x27;output&#x27;" in html, "a reason is escaped"
    assert len(repr(converted)) < 200


def test_what_the_bundle_remembers_verifies_evaluates_and_measures_it(converted: api.Converted) -> None:
    verified = toolkit.verify(converted)
    assert {name: each.passed for name, each in verified.items()} == {"onnx-fp32": True, "onnx-int8": True}
    stricter = toolkit.verify(converted.path, max_drop="0.1%")["onnx-int8"]
    assert stricter.artifact.verdict in {Verdict.UNDECIDED, Verdict.FAILED}
    found = toolkit.evaluate(converted.path / "onnx-int8", evaluation=100)
    assert found.run.samples == 100
    assert "accuracy [95 %]" in found._repr_html_()
    report = toolkit.benchmark(converted, engines=["onnxruntime"], protocol=Protocol(rounds=2, min_seconds=0.01))
    assert {m.setting.artifact for m in report.measurements if m.ok} == {"onnx-fp32", "onnx-int8"}
    assert (converted.path / "benchmark.json").is_file()
    assert toolkit.recommend(report).reason.startswith("Ship onnx-")


@pytest.mark.parametrize(
    "form",
    [
        lambda arrays: arrays,
        lambda arrays: tuple(arrays.values()),
        lambda arrays: DataLoader(TensorDataset(*map(torch.tensor, arrays.values())), batch_size=32),
        lambda arrays: TensorDataset(*map(torch.tensor, arrays.values())),
        lambda arrays: ({name: array[row] for name, array in arrays.items()} for row in range(ROWS)),
        lambda arrays: Samples({name: array for name, array in arrays.items() if name != "targets"}, arrays["targets"]),
    ],
    ids=["dictionary", "tuple", "loader", "dataset", "generator", "samples"],
)
def test_the_same_data_in_any_form_are_the_same_samples(converted: api.Converted, form: Any) -> None:
    artifact = converted.rows[0].artifact
    assert artifact is not None
    given = named_data(form(data()), artifact.manifest.signature)
    assert given is not None
    split, known = split_samples(artifact, given), split_samples(artifact, None)
    assert split.evaluation.sha256 == known.evaluation.sha256


def test_inputs_are_examples_or_specs() -> None:
    wanted = (TensorSpec("signal", "float32", ("batch", 4, 20)), TensorSpec("about", "float32", ("batch", 6)))
    assert specs_of(EXAMPLES, names=["signal", "about"]) == wanted
    assert specs_of({"signal": np.zeros((1, 4, 20), np.float32), "about": EXAMPLES[1]}) == wanted
    assert specs_of(["signal:float32[batch,4,20]", wanted[1]]) == wanted
    assert specs_of("x:int64[n,t]") == (TensorSpec("x", "int64", ("n", "t")),)
    assert specs_of(torch.zeros(3, 2, dtype=torch.bool), names=["mask"]) == (TensorSpec("mask", "bool", ("batch", 2)),)
    wrong: Any
    for wrong in (None, [], EXAMPLES, 3):
        with pytest.raises(InputError):
            specs_of(wrong, names=["x"] if wrong is EXAMPLES else [])


def test_what_is_wrong_is_a_toolkit_error_in_one_line(tmp_path: Path) -> None:
    one = Signature((TensorSpec("x", "float32", ("batch", 2)),), ())
    for call, kind, words in (
        (lambda: toolkit.convert(3), InputError, "the model: expected a torch.nn.Module"),
        (lambda: toolkit.convert(NET), InputError, "the inputs of the model are not known"),
        (lambda: toolkit.convert(NET, EXAMPLES[0], precision=["fp32"], out=tmp_path), InputError, "the network refuses its inputs"),
        (lambda: toolkit.convert(NET, EXAMPLES, metric="acuracy"), UnknownNameError, "metric 'acuracy'"),
        (lambda: toolkit.convert(NET, EXAMPLES, max_drop="a lot"), InputError, "max_drop: expected a number"),
        (lambda: named_data([], one), DataError, "the data give no samples"),
        (lambda: named_data([np.zeros((1, 2)), np.zeros((1, 3))], one), DataError, "several shapes"),
        (lambda: toolkit.verify(tmp_path), ToolkitError, str(tmp_path)),
    ):
        with pytest.raises(kind) as raised:
            call()
        assert words in str(raised.value)
        assert "\n" not in str(raised.value)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()], "nothing is half-written"


def test_every_option_of_a_command_is_an_argument() -> None:
    """But for those that only a terminal needs, those of data, which `Given` has, what has another name or a function of its own."""
    terminal = {"json_to", "html", "prefer", "labels", "memory", "streams", "rounds", "seconds", "seed", "data_dir"}
    of_data = {"columns", "target", "max_samples", "prepare"}
    functions = {"steps"}
    renamed = {"formats": "to", "precisions": "precision", "timeout": "timeout_s"}
    context = click.Context(commands)
    for name in ("convert", "quantize", "optimize", "verify", "benchmark", "evaluate"):
        command = commands.get_command(context, name)
        assert command is not None
        known = {*inspect.signature(getattr(api, name)).parameters}
        options = {renamed.get(str(option.name), option.name) for option in command.params if isinstance(option, click.Option)}
        rest = options - known - terminal - of_data - functions
        assert rest <= {"weights", "inputs", "batch_sizes", "timeout_s", "out"}, name
    for name in ("push", "pull"):
        command = commands.get_command(context, name)
        assert command is not None
        arguments = {*inspect.signature(getattr(toolkit, name)).parameters} - {"on_progress"}
        assert {str(option.name) for option in command.params} - terminal == arguments, name
