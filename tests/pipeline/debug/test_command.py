"""What `toolkit debug` prints and leaves: a verdict, a page, a reproduction that runs; and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from onnx import TensorProto, helper, numpy_helper, save_model

from tests.pipeline.debug.conftest import FORMATS
from tests.pipeline.debug.faults import constants, plant
from tests.tiny import tiny_artifact
from toolkit.cli import toolkit
from toolkit.core import MANIFEST, Artifact, Format, Manifest, Precision, Signature, TensorSpec, ToolkitError, sha256_of


def call(*words: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "80"}).invoke(toolkit, ["debug", *map(str, words)])


@pytest.mark.parametrize("format", FORMATS)
def test_a_fault_is_printed_and_reproduced(made: dict[str, Path], tmp_path: Path, format: Format) -> None:
    good = Artifact.load(made["branches"] / f"{format}-fp32")
    (name,) = (name for name, values in constants(good).items() if values.size == 8 * 8 * 9)
    bad = plant(good, name, tmp_path / "bad")
    out = tmp_path / "out"
    result = call(made["branches"], bad.path, "--out", out)
    assert result.exit_code == 1, result.output
    assert result.output.startswith(
        "first divergence: layer 'body.2' (Conv" if format is not Format.TFLITE else "first divergence: layer 'body.2' (CONV_2D"
    )
    assert max(map(len, result.output.splitlines()[2:-1])) <= 80
    report = json.loads((out / "report.json").read_text())
    assert report["divergences"][0]["layers"] == ["body.2"]
    page = (out / "report.html").read_text()
    assert "body.2" in page
    assert "<svg" in page
    script = out / "reproduction" / "run.py"
    assert len(script.read_text().splitlines()) == 5
    ran = subprocess.run([sys.executable, script.name], cwd=script.parent, capture_output=True, text=True, check=True)
    assert float(ran.stdout.split()[2]) > 0.1
    assert (script.parent / format.file_name).stat().st_size < good.model_file.stat().st_size or format is Format.OPENVINO
    with np.load(script.parent / "expected.npz") as expected:
        assert expected["expected"].size == 8 * 8 * 8


def test_an_untouched_artifact_is_named_in_its_bundle(made: dict[str, Path]) -> None:
    result = call(made["plain"], "onnx-fp32")
    assert result.exit_code == 0, result.output
    assert result.output.startswith("no layer diverges: 9 compared")


def test_json_holds_the_verdict_and_every_layer(made: dict[str, Path]) -> None:
    result = call(made["plain"] / "pt2-fp32" / "model.pt2", made["plain"] / "onnx-fp16", "--json", "-")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["verdict"].startswith("no layer diverges")
    assert [layer["matched_by"] for layer in found["layers"]].count("name") >= 5


def test_files_that_are_not_those_of_the_manifest_are_compared_and_noted(made: dict[str, Path], tmp_path: Path) -> None:
    bad = plant(Artifact.load(made["plain"] / "onnx-fp32"), "7.bias", tmp_path / "bad")
    (bad.path / "manifest.json").write_bytes((made["plain"] / "onnx-fp32" / "manifest.json").read_bytes())
    result = call(made["plain"], bad.path)
    assert result.exit_code == 1
    assert "layer '7' (Gemm)" in result.output
    assert "is not the file its manifest describes" in " ".join(result.output.split())


def test_bad_input_is_one_line_and_leaves_nothing(made: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    for words, message in (
        ((made["plain"], "onnx-fp33"), "is not an artifact folder"),
        ((tmp_path / "no", "onnx-fp32"), "no"),
        ((made["plain"], "pt2-fp32"), "is not converted"),
        ((made["plain"], tiny_artifact(tmp_path / "tiny").path), "is another network"),
        ((made["plain"], "tflite-fp32", "--batch", "7"), "has no such batch: expected one of 1, 32, got 7"),
        ((made["plain"], "onnx-fp32", "--data", tmp_path / "no.npz"), "no samples at"),
    ):
        result = call(*words, "--out", out)
        assert isinstance(result.exception, ToolkitError), result.output
        assert message in str(result.exception)
        assert len(str(result.exception).splitlines()) == 1
        assert not out.exists()


@pytest.fixture(scope="module")
def sized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A convolution over free sizes, and artifacts of it: one for h=6 and w=8, and one of a file that takes two sizes."""
    folder = tmp_path_factory.mktemp("sized")
    value, weights = helper.make_tensor_value_info, np.random.default_rng(0).standard_normal((2, 1, 3, 3)).astype(np.float32)
    for name, sizes in (("free", ("h", "w")), ("fixed", (6, 8)), ("several", ("h", "w"))):
        shapes: dict[str, tuple[int | str, ...]] = {"x": ("batch", 1, *sizes), "y": ("batch", 2, *sizes)}
        graph = helper.make_graph(
            [helper.make_node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1], name="conv"), helper.make_node("Relu", ["a"], ["y"])],
            "net",
            [value("x", TensorProto.FLOAT, shapes["x"])],
            [value("y", TensorProto.FLOAT, shapes["y"])],
            [numpy_helper.from_array(weights, "w")],
        )
        (path := folder / name).mkdir()
        save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), file := path / "model.onnx")
        specs = [TensorSpec(name, "float32", shape) for name, shape in shapes.items()]
        takes = ({"h": 6, "w": 8}, {"h": 4, "w": 4}) if name == "several" else ()
        signature = Signature((specs[0],), (specs[1],), sizes=takes)
        manifest = Manifest("net", Format.ONNX, Precision.FP32, signature, {file.name: sha256_of(file)}, "import")
        (path / MANIFEST).write_bytes(manifest.to_json())
    return folder


@pytest.mark.parametrize(("artifact", "words"), [
    ("fixed", []), ("fixed", ["--fix", "h=6,w=8"]), ("several", []), ("several", ["--fix", "h=4,w=4"]), ("free", ["--fix", "h=5,w=7"]),
])  # fmt: skip
def test_both_are_compared_at_the_sizes_that_one_has_fixed(sized: Path, artifact: str, words: list[str]) -> None:
    """A TF Lite file of a network with free sizes was called another network."""
    result = call(sized / "free", sized / artifact, *words)
    assert result.exit_code == 0, result.output
    assert result.output.startswith("no layer diverges: 2 compared")


@pytest.mark.parametrize(("artifact", "fix", "expected"), [
    ("fixed", "h=6,w=9", "error: --fix h=6,w=9: expected sizes of 'onnx-fp32': h=6,w=8, got others"),
    ("several", "h=6,w=4", "error: --fix h=6,w=4: expected sizes of 'onnx-fp32': h=6,w=8 or h=4,w=4, got others"),
    ("fixed", "height=6", "error: --fix height: expected a free size of"),
])  # fmt: skip
def test_sizes_that_an_artifact_does_not_take_are_one_line(sized: Path, artifact: str, fix: str, expected: str) -> None:
    result = call(sized / "free", sized / artifact, "--fix", fix)
    assert isinstance(result.exception, ToolkitError)
    assert expected.removeprefix("error: ") in str(result.exception)
