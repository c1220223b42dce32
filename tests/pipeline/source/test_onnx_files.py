"""ONNX files from elsewhere: weights in files beside them, old operator sets."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.tiny import FEATURES, tiny_artifact, tiny_samples
from toolkit.core import Artifact, ArtifactError, InputError
from toolkit.pipeline.source.resolve import resolve_source


def external(folder: Path, location: str) -> Path:
    """A perceptron whose weights are in the file `location`."""
    import onnx

    model = onnx.load(tiny_artifact(folder / "tiny").model_file)
    for tensor in model.graph.initializer:
        onnx.external_data_helper.set_external_data(tensor, location)
    file = folder / "net.onnx"
    if "/" in location:
        (folder / location).parent.mkdir(exist_ok=True, parents=True)
    onnx.save(model, file)
    return file


def old(folder: Path, opset: int) -> Path:
    """A perceptron as exporters wrote it years ago: weights are inputs too, and a BatchNormalization of its time."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    shapes = {"w": (FEATURES, 16), "b": (16,), "scale": (16,), "shift": (16,), "mean": (16,), "var": (16,), "v": (16, 3), "c": (3,)}
    weights = {name: np.abs(random.standard_normal(shape)).astype(np.float32) for name, shape in shapes.items()}
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["g"]),
        helper.make_node("BatchNormalization", ["g", "scale", "shift", "mean", "var"], ["n"]),
        helper.make_node("Relu", ["n"], ["r"]),
        helper.make_node("Gemm", ["r", "v", "c"], ["y"]),
    ]
    described = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    graph = helper.make_graph(
        nodes,
        "old",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", FEATURES]), *described],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    file = folder / "old.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=3), file)
    return file


def convert(file: Path, out: Path, *words: str) -> dict[str, str]:
    """The verdict on each target."""
    tiny_samples(600).save(out.parent / "s.npz")
    command = [sys.executable, "-m", "toolkit", "convert", str(file), "--data", str(out.parent / "s.npz"), "--out", str(out), *words]
    result = subprocess.run([*command, "--json", "-"], capture_output=True, text=True, check=False)
    rows = json.loads(result.stdout or "[]")
    verdicts = {row["target"]: row["reason"] or row["artifact"]["manifest"]["evidence"][0]["verdict"] for row in rows}
    assert result.returncode == 0, verdicts or result.stderr
    return verdicts


@pytest.mark.parametrize("location", ["net.onnx.data", "weights/all.bin"])
def test_weights_beside_the_file_come_along(tmp_path: Path, location: str) -> None:
    file = external(tmp_path, location)
    assert file.stat().st_size < 1000
    source = resolve_source(str(file), out=tmp_path / "out").place()
    assert set(source.manifest.files) == {"model.onnx", location}
    assert (source.path / location).read_bytes() == (tmp_path / location).read_bytes()
    (source.path / location).write_bytes(b"another")
    with pytest.raises(ArtifactError, match="is not the file its manifest describes"):
        Artifact.load(source.path)


def test_weights_beside_the_file_are_converted(tmp_path: Path) -> None:
    file = external(tmp_path, "net.onnx.data")
    targets = convert(file, tmp_path / "out", "--to", "onnx,openvino,tflite", "--precision", "fp32,fp16")
    assert set(targets.values()) == {"passed"}
    assert set(Artifact.load(tmp_path / "out" / "net" / "onnx-fp16").manifest.files) == {"model.onnx"}


@pytest.mark.parametrize("location", ["../net.data", "/etc/hostname", "a/../../b", "..\\net.data"])
def test_weights_outside_the_folder_are_refused(tmp_path: Path, location: str) -> None:
    import onnx

    file = external(tmp_path, "net.data")
    model = onnx.load(file, load_external_data=False)
    for tensor in model.graph.initializer:
        next(entry for entry in tensor.external_data if entry.key == "location").value = location
    file.write_bytes(model.SerializeToString())
    with pytest.raises(
        InputError, match="keeps weights outside its folder: expected a file beside it, which is no symbolic or hard link"
    ) as caught:
        resolve_source(str(file), out=tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_weights_that_are_a_link_or_missing(tmp_path: Path) -> None:
    file = external(tmp_path, "net.data")
    (tmp_path / "net.data").rename(tmp_path / "elsewhere")
    with pytest.raises(ArtifactError, match=r"net.data' is missing: expected the weights of 'net.onnx', beside it"):
        resolve_source(str(file), out=tmp_path / "out")
    for link in (Path.symlink_to, Path.hardlink_to):
        link(tmp_path / "net.data", tmp_path / "elsewhere")
        with pytest.raises(InputError, match=r"which is no symbolic or hard link, got 'net.data'"):
            resolve_source(str(file), out=tmp_path / "out")
        (tmp_path / "net.data").unlink()


@pytest.mark.parametrize("opset", [7, 9])
def test_old_operator_sets(tmp_path: Path, opset: int) -> None:
    file = old(tmp_path, opset)
    targets = convert(file, tmp_path / "out", "--to", "onnx", "--precision", "fp32,int8,int8-weights", "--max-drop", "20")
    assert targets == dict.fromkeys(("onnx-fp32", "onnx-int8", "onnx-int8-weights"), "passed")
