"""Every command names a source alike: a bare file, Python code, an artifact; with and without data."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from tests.tiny import FEATURES, tiny_artifact
from toolkit.cli import toolkit
from toolkit.core import InputError

pytest.importorskip("torch", reason="the extra [train] is not installed")

NET = """
import torch

class Scorer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.wave, self.about = torch.nn.Conv1d(4, 8, 3, padding=1), torch.nn.Linear(6, 8)

    def forward(self, signal, about):
        return self.wave(signal).mean(2) + self.about(about)

def scorer():
    torch.manual_seed(0)
    return Scorer().eval()
"""
SOURCE = ("net.py:scorer", "--input", "signal:float32[batch,4,length]", "--input", "about:float32[batch,6]")
UP_TO = "accuracy drop: 95 % interval up to {} passes, wholly above fails"
QUICK = ("--rounds", "1", "--seconds", "0.01", "--threads", "1")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of a user: Python code, a bare ONNX file of another network, labelled samples for the latter."""
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NET)
    shutil.copyfile(tiny_artifact(Path("tiny")).model_file, "mine.onnx")
    shutil.rmtree("tiny")
    random = np.random.default_rng(0)
    np.savez("s.npz", x=random.standard_normal((240, FEATURES)).astype(np.float32), targets=random.integers(0, 10, 240))
    return tmp_path


def call(*words: str, code: int = 0) -> Any:
    """What the command prints as JSON; what it prints else, where it prints none."""
    result = CliRunner().invoke(toolkit, [*words])
    assert result.exit_code == code, result.output + repr(result.exception)
    return json.loads(result.stdout)


def refused(*words: str) -> str:
    return str(CliRunner().invoke(toolkit, [*words]).exception)


def evidence(rows: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
    return {row["target"]: (report["verdict"], report["reason"]) for row in rows for report in row["artifact"]["manifest"]["evidence"][:1]}


def test_a_network_of_python_code_without_data(here: Path) -> None:
    rows = call("convert", *SOURCE, "--to", "onnx", "--precision", "fp32,int8-weights", "--json", code=1)
    told = evidence(rows)
    assert told["onnx-fp32"][0] == "passed"
    assert told["onnx-fp32"][1].endswith("; seeded probes only")
    assert told["onnx-int8-weights"] == ("undecided", told["onnx-int8-weights"][1])
    assert told["onnx-int8-weights"][1].endswith("; seeded probes only, add --data")
    assert "top-1 agreement drop" not in told["onnx-int8-weights"][1], "random numbers have no metric"
    assert call("verify", "artifacts/scorer", "--json", code=1)["onnx-fp32"][0]["verdict"] == "passed"
    text = refused("benchmark", "artifacts/scorer", *QUICK)
    assert text.startswith("how long 'scorer' takes depends on its free sizes: length; add --data with a .npz of inputs of the usual size")
    assert text.endswith(", or say it: --fix length=32")
    assert not (here / "artifacts" / "scorer" / "benchmark.json").exists()


def test_what_is_calibrated_needs_data() -> None:
    text = refused("convert", *SOURCE, "--to", "onnx")
    assert text.startswith("no data are known for 'scorer', and onnx-int8 cannot be calibrated without; add --data")
    assert text.endswith("--precision fp32")
    assert not Path("artifacts").exists()


def test_a_bare_file_in_every_command_that_measures(here: Path) -> None:
    report = call("benchmark", "mine.onnx", *QUICK, "--json")
    assert ([row["setting"]["artifact"] for row in report["measurements"]], report["drawn"]) == (["onnx-fp32"], True)
    assert "measured on random inputs" in " ".join(CliRunner().invoke(toolkit, ["benchmark", "mine.onnx", *QUICK]).output.split())
    (seen,) = call("verify", "mine.onnx", "--engine", "openvino", "--json")["onnx-fp32"]
    assert (seen["engine"], seen["verdict"]) == ("openvino", "passed")
    assert refused("verify", "mine.onnx", "--engine", "onnxruntime").startswith(
        "'mine.onnx' holds nothing to verify: expected another engine"
    )
    assert call("evaluate", "mine.onnx", "--data", "s.npz", "--json")["samples"] == 240, "nothing of it calibrates"
    assert refused("evaluate", "mine.onnx").startswith("no data are known for 'mine'")
    assert sorted(path.name for path in here.iterdir()) == ["mine.onnx", "net.py", "s.npz"], "nothing is left"


def test_the_samples_are_named_once(here: Path) -> None:
    call("convert", "mine.onnx", "--to", "onnx", "--precision", "fp32", "--data", "s.npz", "--json")
    assert call("evaluate", "artifacts/mine/onnx-fp32", "--json")["data"] == "s.npz"
    (seen,) = call("verify", "artifacts/mine", "--engine", "openvino", "--json")["onnx-fp32"]
    assert "seeded probes only" not in seen["reason"]
    report = call("benchmark", "artifacts/mine", *QUICK, "--json")
    assert (report["samples"], report["drawn"]) == ("s.npz", False)
    (here / "s.npz").rename(here / "elsewhere.npz")
    assert "are gone" in refused("verify", "artifacts/mine", "--engine", "openvino")


def test_the_limit_is_named_once(here: Path) -> None:
    words = ("--to", "onnx", "--precision", "int8-weights", "--json")
    call("convert", "mine.onnx", "--data", "s.npz", "--max-drop", "5", *words)
    told = CliRunner().invoke(toolkit, ["verify", "artifacts/mine", "--json"])
    assert (told.exit_code, json.loads(told.stdout)["onnx-int8-weights"][0]["rule"]) == (0, UP_TO.format("5 points"))
    assert "to confirm a drop of at most 5 points, the limit of artifacts/mine, takes about 73" in told.stderr
    (again,) = call("convert", "mine.onnx", "--data", "s.npz", *words)
    assert (again["samples"]["max_drop"], again["samples"]["max_drop_of"]) == (5, "artifacts/mine")
    assert "--max-drop 5, as artifacts/mine remembers" in CliRunner().invoke(toolkit, ["bundle", "artifacts/mine"]).stderr


@pytest.mark.parametrize(("precision", "choice"), [("fp32,int8", 96), ("fp32,int8-dynamic", 0)])
def test_optimize_says_which_rows_choose_layers(precision: str, choice: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise InputError("before the work")

    monkeypatch.setattr("toolkit.pipeline.optimize.optimize", stopped)
    words = ["optimize", "mine.onnx", "--data", "s.npz", "--to", "onnx", "--precision", precision]
    told = CliRunner().invoke(toolkit, words)
    assert str(told.exception) == "before the work"
    assert told.stderr.startswith("samples of s.npz: 48 calibrate, 192 verify by accuracy\n")
    assert ("\nsamples: 96 of those 192 choose layers for float" in told.stderr) == bool(choice)


def test_one_artifact_is_measured_alone_and_its_report_is_not_the_bundles(here: Path) -> None:
    call("convert", "mine.onnx", "--to", "onnx,openvino", "--precision", "fp32", "--json")
    report = call("benchmark", "artifacts/mine/openvino-fp32", *QUICK, "--json")
    assert [row["setting"]["artifact"] for row in report["measurements"]] == ["openvino-fp32"]
    assert not (here / "artifacts" / "mine" / "benchmark.json").exists()
