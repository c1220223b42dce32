"""``--fix``, ``--range`` and ``--set``: what they do, and one line for what does not fit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save_model

from tests.cli.test_bad_input import assert_refused
from tests.commands import Commands


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    """One process for all, with a cache of its own."""
    worker = Commands({"TOOLKIT_CACHE": str(tmp_path_factory.mktemp("commands") / "cache")})
    yield worker
    worker.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network whose height times width is a multiple of four, none of them named; one with a state and a rate; samples of both."""
    path = tmp_path_factory.mktemp("sizes")
    value, node = helper.make_tensor_value_info, helper.make_node
    pictures = helper.make_graph(
        [node("Relu", ["x"], ["r"]), node("Reshape", ["r", "fours"], ["f"]), node("ReduceSum", ["f", "last"], ["y"], keepdims=0)],
        "pictures",
        [value("x", TensorProto.FLOAT, [None, 1, "?", "?"])],
        [value("y", TensorProto.FLOAT, ["?", "?"])],
        [numpy_helper.from_array(np.array([0, 0, 4, -1]), "fours"), numpy_helper.from_array(np.array([1, 2]), "last")],
    )
    voice = helper.make_graph(
        [
            node("Mul", ["x", "rate"], ["m"]),
            node("ReduceSum", ["state", "first"], ["s"], keepdims=0),
            node("Add", ["m", "s"], ["y"]),
            node("Relu", ["state"], ["next"]),
        ],
        "voice",
        [value("x", TensorProto.FLOAT, [None, 4]), value("state", TensorProto.FLOAT, [2, None, 4]), value("rate", TensorProto.FLOAT, [])],
        [value("y", TensorProto.FLOAT, [None, 4]), value("next", TensorProto.FLOAT, [2, None, 4])],
        [numpy_helper.from_array(np.array([0]), "first")],
    )
    for graph in (pictures, voice):
        save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path / f"{graph.name}.onnx")
    random = np.random.default_rng(0)
    np.savez(path / "pictures.npz", x=random.standard_normal((6, 1, 6, 8)).astype(np.float32))
    np.savez(path / "voice.npz", x=random.standard_normal((6, 4)).astype(np.float32))
    return path


FP32 = ("--to", "onnx", "--precision", "fp32")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (
            ("pictures.onnx", "--fix", "h=8"),
            ("--fix h: expected a free size of 'pictures.onnx': height, width, got 'h'", "--fix height=32"),
        ),
        (
            ("pictures.onnx", "--data", "pictures.npz", "--fix", "height=6,width=16"),
            ("other sizes than the fixed ones: expected height=6,width=16, got height=6,width=8", "--fix height=6,width=8"),
        ),
        (("pictures.onnx", "--data", "pictures.npz", "--fix", "height=5,width=7"), ("the network refuses height=5,width=7",)),
        (("pictures.onnx", "--data", "pictures.npz", "--range", "width=7:9"), ("'pictures' refuses a size: at width=7",)),
        (("voice.onnx", "--data", "voice.npz", "--set", "rate=2"), ("nothing for input 'state'", "--set state=0")),
        (
            ("voice.onnx", "--data", "voice.npz", "--set", "rate=2", "--set", "state=0", "--set", "speed=2"),
            ("--set speed: expected an input of 'voice.onnx': x, state, got 'speed'",),
        ),
    ],
)
def test_what_does_not_fit_is_one_line(commands: Commands, folder: Path, words: tuple[str, ...], parts: tuple[str, ...]) -> None:
    assert_refused(commands.run("convert", *words, *FP32, "--out", "refused", folder=folder), *parts)


def test_states_and_constants_are_given_once(commands: Commands, folder: Path) -> None:
    words = ("--data", "voice.npz", "--set", "rate=2", "--set", "state=0.5", *FP32, "--out", "out")
    done = commands.run("convert", "voice.onnx", *words, folder=folder)
    assert done.returncode == 0, done.stderr
    assert "input 'rate' is 2 in every call, a constant of the network now" in done.stderr
    signature = json.loads((folder / "out" / "voice" / "onnx-fp32" / "manifest.json").read_text())["signature"]
    assert [(spec["name"], spec["shape"]) for spec in signature["inputs"]] == [("x", ["batch", 4]), ("state", [2, "batch", 4])]
    assert signature["values"] == {"state": 0.5}
    again = commands.run("verify", "out/voice/onnx-fp32", "--engine", "openvino", folder=folder)
    assert again.returncode == 0, again.stderr


def test_the_ends_of_bounds_are_evidence(commands: Commands, folder: Path) -> None:
    words = ("--data", "pictures.npz", "--to", "openvino", "--precision", "fp32", "--range", "width=4:16:4,height=3:9")
    done = commands.run("convert", "pictures.onnx", *words, "--out", "ends", folder=folder)
    assert done.returncode == 0, done.stderr
    evidence = json.loads((folder / "ends" / "pictures" / "openvino-fp32" / "manifest.json").read_text())["evidence"][0]
    assert evidence["sizes"] == ["width=4,height=3", "width=8,height=6", "width=16,height=9"]
    assert evidence["verdict"] == "passed"


def test_what_stays_in_float32_beside_float16_is_said(folder: Path, commands: Commands) -> None:
    """Weights beyond 65504 have no float16."""
    value, node = helper.make_tensor_value_info, helper.make_node
    large = [numpy_helper.from_array(np.full((4, 3), 1e6, np.float32), "w"), numpy_helper.from_array(np.full((3, 3), 0.5, np.float32), "v")]
    shapes = [value("x", TensorProto.FLOAT, [None, 4])], [value("y", TensorProto.FLOAT, [None, 3])]
    graph = helper.make_graph([node("MatMul", ["x", "w"], ["m"]), node("MatMul", ["m", "v"], ["y"])], "large", *shapes, large)
    save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "large.onnx")
    np.savez(folder / "large.npz", x=np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32))
    done = commands.run("convert", "large.onnx", "--data", "large.npz", "--to", "onnx", "--precision", "fp16", folder=folder)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^onnx-fp16: 1 file tried in [\d.]+ s; 2 operations in float$", done.stdout, re.MULTILINE)
