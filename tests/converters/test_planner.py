from __future__ import annotations

import pytest

from toolkit.converters.base import Node
from toolkit.converters.planner import plan, reachable, ways
from toolkit.core import Format, InputError, Precision, UnknownNameError

PT2 = Node(Format.PT2, Precision.FP32)
FROM_PT2_ALONE = {
    *(Node(Format.EXECUTORCH, precision) for precision in (Precision.FP32, Precision.INT8)),
    *(Node(Format.COREML, precision) for precision in (Precision.FP32, Precision.FP16)),
}


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (PT2, []),
        (Node(Format.ONNX, Precision.FP32), ["onnx_from_pt2"]),
        (Node(Format.ONNX, Precision.INT8), ["onnx_from_pt2", "onnx_int8"]),
        (Node(Format.OPENVINO, Precision.FP32), ["onnx_from_pt2", "openvino_from_onnx"]),
        (Node(Format.OPENVINO, Precision.BF16), ["onnx_from_pt2", "openvino_from_onnx", "openvino_bf16"]),
        (Node(Format.OPENVINO, Precision.INT8_WEIGHTS), ["onnx_from_pt2", "openvino_from_onnx", "openvino_int8_weights"]),
        (Node(Format.TFLITE, Precision.INT8_DYNAMIC), ["tflite_from_pt2", "tflite_int8_dynamic"]),
        (Node(Format.EXECUTORCH, Precision.INT8), ["executorch_int8"]),
    ],
    ids=str,
)
def test_paths(target: Node, path: list[str]) -> None:
    assert [converter.name for converter in plan(PT2, target)] == path


def test_a_variant_is_reached_as_its_default_is() -> None:
    target = Node(Format.ONNX, Precision.INT8, "entropy")
    assert str(target) == "onnx-int8-entropy"
    assert plan(PT2, target) == plan(PT2, Node(Format.ONNX, Precision.INT8))


def test_what_a_trained_net_can_become() -> None:
    without = {
        *(Node(format, Precision.BF16) for format in (Format.ONNX, Format.TFLITE)),
        *(Node(Format.OPENVINO, precision) for precision in (Precision.INT8_DYNAMIC, Precision.INT16X8)),
    }
    targets = (Format.ONNX, Format.OPENVINO, Format.TFLITE)
    ncnn = {Node(Format.NCNN, precision) for precision in (Precision.FP32, Precision.FP16)}
    assert reachable(PT2) == ({Node(format, precision) for format in targets for precision in Precision} - without) | ncnn | FROM_PT2_ALONE


@pytest.mark.parametrize("format", [Format.KERAS, Format.SAVEDMODEL])
def test_other_frameworks_become_the_same(format: Format) -> None:
    source = Node(format, Precision.FP32)
    assert reachable(source) == reachable(PT2) - FROM_PT2_ALONE
    assert [converter.name for converter in plan(source, Node(Format.TFLITE, Precision.FP32))] == [f"tflite_from_{format}"]
    path = plan(source, Node(Format.OPENVINO, Precision.INT8))
    assert [converter.name for converter in path] == [f"onnx_from_{format}", "openvino_from_onnx", "openvino_int8"]


def test_torchscript_becomes_the_same_by_way_of_onnx() -> None:
    source = Node(Format.TORCHSCRIPT, Precision.FP32)
    assert reachable(source) == reachable(PT2) - FROM_PT2_ALONE
    path = plan(source, Node(Format.TFLITE, Precision.INT8))
    assert [converter.name for converter in path] == ["onnx_from_torchscript", "tflite_from_onnx", "tflite_int8"]


def test_a_leaf_leads_nowhere() -> None:
    assert reachable(Node(Format.OPENVINO, Precision.INT8)) == set()


def test_a_precision_that_a_format_does_not_have() -> None:
    with pytest.raises(InputError, match="openvino has no int8-dynamic converter: expected one of bf16, fp16, fp32, int4-weights, int8"):
        plan(PT2, Node(Format.OPENVINO, Precision.INT8_DYNAMIC))


def test_a_target_that_cannot_be_reached_from_here() -> None:
    with pytest.raises(InputError, match=r"no way from openvino-fp32 to onnx-fp32: expected one of openvino-bf16, .*openvino-int8-weights"):
        plan(Node(Format.OPENVINO, Precision.FP32), Node(Format.ONNX, Precision.FP32))


@pytest.mark.parametrize(
    ("source", "target", "names"),
    [
        (Format.PT2, Format.ONNX, ["onnx_from_pt2"]),
        (Format.PT2, Format.OPENVINO, ["openvino_from_onnx", "openvino_from_pt2"]),
        (Format.PT2, Format.TFLITE, ["tflite_from_pt2", "tflite_from_onnx", "tflite_from_onnx_by_torch"]),
        (Format.ONNX, Format.OPENVINO, ["openvino_from_onnx"]),
        (Format.ONNX, Format.TFLITE, ["tflite_from_onnx", "tflite_from_onnx_by_torch"]),
        (Format.SAVEDMODEL, Format.OPENVINO, ["openvino_from_onnx", "openvino_from_savedmodel"]),
        (Format.TFLITE, Format.ONNX, ["onnx_from_tflite"]),
        (Format.TFLITE, Format.OPENVINO, ["openvino_from_tflite", "openvino_from_onnx"]),
    ],
)
def test_the_ways_to_a_format(source: Format, target: Format, names: list[str]) -> None:
    """The path's own first; what starts at ONNX waits for nothing that waits for it."""
    assert [each.name for each in ways(Node(source, Precision.FP32), Node(target, Precision.FP32))] == names


def test_a_float_network_is_quantized_in_the_format_that_is_wanted() -> None:
    """OpenVINO read what TF Lite's quantizer had made, which was as short a path: a face detector lost 22 points that way."""
    source = Node(Format.TFLITE, Precision.FP32)
    for precision in (Precision.INT8, Precision.INT8_WEIGHTS):
        for format in (Format.OPENVINO, Format.ONNX):
            assert plan(source, Node(format, precision))[-1].source == Node(format, Precision.FP32)


def test_a_source_in_integers_becomes_no_float() -> None:
    source = Node(Format.ONNX, Precision.INT8)
    assert reachable(source) == {Node(Format.OPENVINO, Precision.INT8)}
    with pytest.raises(
        InputError, match=r"no fp16: the source is onnx-int8 already: expected one of onnx-int8, openvino-int8; for others convert"
    ):
        plan(source, Node(Format.ONNX, Precision.FP16))


def test_what_a_foreign_onnx_file_can_become() -> None:
    source = Node(Format.ONNX, Precision.FP32)
    assert reachable(source) == reachable(PT2) - FROM_PT2_ALONE - {source}
    assert [converter.name for converter in plan(source, Node(Format.TFLITE, Precision.FP32))] == ["tflite_from_onnx"]


@pytest.mark.parametrize(
    "node",
    [*sorted(reachable(PT2), key=str), Node(Format.ONNX, Precision.INT8_WEIGHTS, "g128"), Node(Format.TFLITE, Precision.INT8, "a-b")],
    ids=str,
)
def test_a_name_is_read_back(node: Node) -> None:
    assert Node.parse(str(node)) == node


@pytest.mark.parametrize("name", ["onnx", "onnx-", "onx-int8", "onnx-int9", ""])
def test_a_wrong_name_is_refused(name: str) -> None:
    with pytest.raises(UnknownNameError):
        Node.parse(name)
