"""Every task, by data in a file and from Python code, through the commands: the metric that they show is that of the same outputs.

The networks are products with the identity matrix, so that the samples say what comes out.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from tests.tasks.examples import EXAMPLES
from toolkit.cli import toolkit
from toolkit.core import Samples, Verdict
from toolkit.tasks import find_task

SETS = 8


def example(name: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The outputs of several examples of a task behind each other, and their targets."""
    drawn = [EXAMPLES[name](np.random.default_rng(seed)) for seed in range(SETS)]
    outputs = {output: np.concatenate([each.outputs[output] for each in drawn]) for output in drawn[0].outputs}
    return outputs, np.concatenate([each.targets for each in drawn])


def network(file: Path, outputs: dict[str, np.ndarray]) -> None:
    """An ONNX file that gives its inputs back, each multiplied with the identity along its last axis; whole numbers as they are."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights, inputs, results = [], [], [], []
    for name, array in outputs.items():
        kind = TensorProto.FLOAT if array.dtype == np.float32 else TensorProto.INT64
        shape = ["batch", *array.shape[1:]]
        inputs.append(helper.make_tensor_value_info(f"{name}_in", kind, shape))
        results.append(helper.make_tensor_value_info(name, kind, shape))
        if kind == TensorProto.INT64:
            nodes.append(helper.make_node("Identity", [f"{name}_in"], [name]))
        else:
            weights.append(numpy_helper.from_array(np.eye(array.shape[-1], dtype=np.float32), f"{name}_w"))
            nodes.append(helper.make_node("MatMul", [f"{name}_in", f"{name}_w"], [name]))
    graph = helper.make_graph(nodes, "net", inputs, results, weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), file)


def given(form: str, outputs: dict[str, np.ndarray], targets: np.ndarray) -> str:
    """The samples in this form, in the folder that the test is in; what ``--data`` calls them."""
    Samples({f"{name}_in": array for name, array in outputs.items()}, targets).save(Path("s.npz"))
    if form == "npz":
        return "s.npz"
    Path("mydata.py").write_text("import numpy as np\n\n\ndef load():\n    return dict(np.load('s.npz'))\n")
    return "mydata.py:load"


def call(*words: str) -> Any:
    result = CliRunner().invoke(toolkit, [*words, "--json"], catch_exceptions=False)
    assert result.exit_code in {0, 1}, result.output
    return json.loads(result.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["npz", "python"])
@pytest.mark.parametrize("name", EXAMPLES)
def test_convert_and_evaluate(name: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    outputs, targets = example(name)
    network(Path("net.onnx"), outputs)
    data = given(form, outputs, targets)
    floats = all(array.dtype == np.float32 for array in outputs.values())
    rows = call(
        "convert",
        "net.onnx",
        "--to",
        "onnx",
        "--precision",
        "fp32,int8" if floats else "fp32",
        "--data",
        data,
        "--task",
        name,
        "--max-drop",
        "50%",
    )
    task = find_task(name)
    for row in rows:
        manifest = row["artifact"]["manifest"]
        assert manifest["task"] == name
        metric = manifest["evidence"][0]["task"]
        assert metric["name"] == task.metrics[0].title
        # One layer has one range: what a detector's scores lose by that is judged, and told.
        assert manifest["precision"] == "int8" or manifest["evidence"][0]["verdict"] == Verdict.PASSED, manifest["evidence"][0]["reason"]
    found = call("evaluate", "artifacts/net/onnx-fp32", "--data", data, "--task", name)
    if name == "classification":  # Which has figures of its own.
        assert found["accuracy"]["value"] == pytest.approx(metric["reference"])
        return
    values = {each["name"]: each for each in found["metrics"]}
    assert [*values] == [*task.metric_names]
    decisive = values[task.metrics[0].name]
    assert decisive["value"] == pytest.approx(metric["reference"], abs=1e-6)
    assert decisive["low"] <= decisive["value"] <= decisive["high"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["classification", "segmentation", "regression"])
def test_quantize_and_optimize(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    outputs, targets = example(name)
    network(Path("net.onnx"), outputs)
    given("npz", outputs, targets)
    words = ("net.onnx", "--to", "onnx", "--data", "s.npz", "--task", name, "--max-drop", "50%")
    (quantized,) = call("quantize", *words, "--rounds", "1")
    title = find_task(name).metrics[0].title
    assert quantized["artifact"]["manifest"]["evidence"][0]["task"]["name"] == title
    optimized = call("optimize", *words, "--precision", "fp32,int8", "--overwrite")
    assert title in json.dumps(optimized) or optimized["shipped"]["artifact"] == "onnx-fp32"
