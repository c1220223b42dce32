"""What the sizes of a file are, found by running it: each graph is one kind of wrong or missing declaration."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save_model

from toolkit.core import InputError
from toolkit.pipeline.source.settle import Hints, Settled, settle
from toolkit.runtimes import open_session

Ports = dict[str, list[int | str | None] | None]


def _settled(
    tmp_path: Path, nodes: list[object], inputs: Ports, outputs: Ports, hints: Hints | None = None, **weights: np.ndarray
) -> Settled:
    def ports(shapes: Ports) -> list[object]:
        return [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]

    constants = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "g", ports(inputs), ports(outputs), constants)
    file = tmp_path / "model.onnx"
    save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), file)
    with open_session(file) as session:
        return settle(session, hints)


def _state(tmp_path: Path, hints: Hints | None = None) -> Settled:
    """A recurrence of one step whose batch is unnamed on both axes."""
    nodes = [
        helper.make_node("ReduceSum", ["state", "zero"], ["one"], keepdims=0),
        helper.make_node("Add", ["x", "one"], ["y"]),
        helper.make_node("Mul", ["state", "half"], ["next"]),
    ]
    inputs: Ports = {"x": [None, 4], "state": [2, None, 4]}
    return _settled(
        tmp_path, nodes, inputs, {"y": [None, 4], "next": [None, None, None]}, hints, zero=np.array([0]), half=np.array(0.5, np.float32)
    )


def test_the_batch_of_a_state_is_that_of_the_other_input(tmp_path: Path) -> None:
    found = _state(tmp_path).signature
    assert [spec.shape for spec in found.inputs] == [("batch", 4), (2, "batch", 4)]
    assert found.outputs[0].shape == ("batch", 4)
    assert found.outputs[1].shape[1] == "batch"
    assert found.rows == "batch"


def test_the_batch_of_two_states_is_one_too(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Add", ["h", "c"], ["both"]),
        helper.make_node("ReduceSum", ["both", "zero"], ["one"], keepdims=0),
        helper.make_node("Add", ["x", "one"], ["y"]),
    ]
    inputs: Ports = {"x": [None, 4], "h": [2, None, 4], "c": [2, None, 4]}
    found = _settled(tmp_path, nodes, inputs, {"y": [None, 4]}, zero=np.array([0])).signature
    assert [spec.shape for spec in (*found.inputs, *found.outputs)] == [("batch", 4), (2, "batch", 4), (2, "batch", 4), ("batch", 4)]


def test_unnamed_height_and_width_stay_two(tmp_path: Path) -> None:
    found = _settled(tmp_path, [helper.make_node("Relu", ["x"], ["y"])], {"x": [None, 3, "?", "?"]}, {"y": [None, 3, "?", "?"]}).signature
    assert found.inputs[0].shape == found.outputs[0].shape == ("batch", 3, "height", "width")


def test_sizes_that_must_be_equal_are_one(tmp_path: Path) -> None:
    found = _settled(
        tmp_path, [helper.make_node("Add", ["a", "b"], ["y"])], {"a": [None, "?"], "b": [None, "?"]}, {"y": [None, "?"]}
    ).signature
    assert found.inputs[0].shape == found.inputs[1].shape == found.outputs[0].shape == ("batch", "dim_1")


def test_a_declared_output_that_does_not_come_out_is_corrected_and_said(tmp_path: Path) -> None:
    nodes = [helper.make_node("Transpose", ["x"], ["t"], perm=[2, 0, 1]), helper.make_node("Squeeze", ["t"], ["y"])]
    found = _settled(tmp_path, nodes, {"x": [1, 5, "width"]}, {"y": [1, "seqlen", 5]})
    assert found.signature.outputs[0].shape == ("width", 5)
    assert found.notes == ("output y:float32[1,seqlen,5] of the file is float32[width,5] when it runs",)


def test_an_output_of_which_nothing_is_declared_has_the_shape_that_comes_out(tmp_path: Path) -> None:
    nodes = [helper.make_node("Transpose", ["x"], ["y"], perm=[2, 0, 1])]
    found = _settled(tmp_path, nodes, {"x": [1, 5, "width"]}, {"y": None})
    assert found.signature.outputs[0].shape == ("width", 1, 5)
    assert not found.notes


def test_an_output_is_a_multiple_of_a_size(tmp_path: Path) -> None:
    nodes = [helper.make_node("DepthToSpace", ["x"], ["y"], blocksize=2)]
    found = _settled(tmp_path, nodes, {"x": [None, 4, "?", "?"]}, {"y": [None, 1, None, None]}).signature
    assert found.outputs[0].shape == ("batch", 1, "2*height", "2*width")


def test_a_batch_beside_a_state_of_one_row_is_one(tmp_path: Path) -> None:
    """As speech quality networks have it: a free batch, and a recurrence whose first state has one row."""
    nodes = [
        helper.make_node("Transpose", ["x"], ["steps"], perm=[1, 0, 2]),
        helper.make_node("GRU", ["steps", "w", "r", "", "", "h0"], ["", "last"], hidden_size=2),
        helper.make_node("ReduceSum", ["last", "axes"], ["y"], keepdims=0),
    ]
    weights = {"w": np.ones((1, 6, 3), np.float32), "r": np.ones((1, 6, 2), np.float32), "axes": np.array([0, 2])}
    for hints in (None, Hints({"x": (20, 5, 3), "h0": (1, 1, 2)})):
        found = _settled(tmp_path, nodes, {"x": ["batch", "frames", 3], "h0": [1, 1, 2]}, {"y": ["batch"]}, hints, **weights)
        assert [spec.shape for spec in (*found.signature.inputs, *found.signature.outputs)] == [(1, "frames", 3), (1, 1, 2), (1,)]
        assert found.notes == ("size batch is free in the file, and the network takes 1 alone",)


def test_rows_that_are_one_sample_have_their_number(tmp_path: Path) -> None:
    """As where four mirrored pictures of a sample are rows, and their answers are averaged: 2 rows are no sample."""
    nodes = [
        helper.make_node("Add", ["a", "b"], ["sum"]),
        helper.make_node("Reshape", ["sum", "four"], ["grouped"]),
        helper.make_node("ReduceMean", ["grouped"], ["y"], axes=[0], keepdims=0),
    ]
    inputs: Ports = {"a": ["a_axis", 3], "b": ["b_axis", 3]}
    found = _settled(tmp_path, nodes, inputs, {"y": ["y_axis", 3]}, four=np.array([4, -1, 3]))
    assert [spec.shape for spec in (*found.signature.inputs, *found.signature.outputs)] == [(4, 3), (4, 3), ("y_axis", 3)]
    assert found.notes == ("size a_axis is free in the file, and the network refuses 1 and 2: here it is 4",)


def test_the_batch_is_what_can_change_places_not_what_comes_first(tmp_path: Path) -> None:
    nodes = [helper.make_node("CumSum", ["x", "zero"], ["y"])]
    found = _settled(tmp_path, nodes, {"x": ["steps", "many", 3]}, {"y": ["steps", "many", 3]}, zero=np.array(0)).signature
    assert found.rows == "many"
    assert found.batch_axis(found.inputs[0]) == 1


def test_samples_tell_a_size_that_no_other_fits(tmp_path: Path) -> None:
    nodes = [helper.make_node("Reshape", ["x", "shape"], ["y"])]
    shape = np.array([0, 13, -1])
    found = _settled(tmp_path, nodes, {"x": [None, "?"]}, {"y": [None, 13, "?"]}, Hints({"x": (40, 26)}), shape=shape).signature
    assert found.inputs[0].shape == ("batch", "dim_1")
    assert found.outputs[0].shape[:2] == ("batch", 13)


def test_a_fixed_size_that_the_network_refuses_is_one_line(tmp_path: Path) -> None:
    nodes = [helper.make_node("Reshape", ["x", "shape"], ["y"])]
    with pytest.raises(InputError, match="refuses width=30"):
        _settled(
            tmp_path,
            nodes,
            {"x": [None, "width"]},
            {"y": [None, 4, "?"]},
            Hints(sizes={"width": 30}),
            shape=np.array([0, 4, -1]),
        )


def test_sizes_that_it_takes_are_told_where_it_refuses_the_first(tmp_path: Path) -> None:
    """As a mirrored border of 40 samples, for which 32 are too few."""
    nodes = [helper.make_node("Pad", ["x", "pads"], ["y"], mode="reflect")]
    pads = np.array([0, 0, 0, 40])
    for hints, sizes in ((None, {"length": 64}), (Hints({"x": (20, 50)}), {})):
        found = _settled(tmp_path, nodes, {"x": ["batch", "length"]}, {"y": ["batch", "other"]}, hints, pads=pads)
        assert found.sizes == sizes
    found = _settled(tmp_path, [helper.make_node("Relu", ["x"], ["y"])], {"x": ["batch", "length"]}, {"y": ["batch", "length"]})
    assert found.sizes == {}


def test_what_no_size_suits_keeps_what_the_file_declares(tmp_path: Path) -> None:
    nodes = [helper.make_node("Reshape", ["x", "shape"], ["y"])]
    found = _settled(tmp_path, nodes, {"x": [None, "?"]}, {"y": [None, 1009, "?"]}, shape=np.array([0, 1009, -1]))
    assert found.signature.inputs[0].shape == ("batch", "dim_1")
    assert not found.notes
