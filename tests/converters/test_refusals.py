"""Bad sources: one line, and nothing left behind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.converters.nets import export
from toolkit.converters.base import Node, Recipe
from toolkit.converters.edges.onnx_from_pt2 import OnnxFromPt2
from toolkit.converters.edges.openvino_from_onnx import OpenvinoFromOnnx
from toolkit.converters.edges.tflite_from_pt2 import TfliteFromPt2
from toolkit.converters.planner import all_converters
from toolkit.core import MANIFEST, Artifact, ConversionError, Format, InputError, Precision, Signature, TensorSpec, new_folder, sha256_of

ONNX = Node(Format.ONNX, Precision.FP32)


def with_signature(source: Artifact, signature: Signature) -> Artifact:
    return replace(source, manifest=replace(source.manifest, signature=signature))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("converter", [OnnxFromPt2(), TfliteFromPt2()], ids=lambda converter: converter.name)
def test_pt2_weights_must_be_finite(converter: OnnxFromPt2 | TfliteFromPt2, value: float, source: Artifact, tmp_path: Path) -> None:
    import torch
    from torch import nn

    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    with torch.no_grad():
        net[1].bias[3] = value
    bad = export(tmp_path / "bad", net, (torch.zeros(2, 1, 8, 8),), source.manifest.signature, "bad")
    with pytest.raises(InputError, match=r"weight '1\.bias': expected finite numbers, got 1 NaN") as caught:
        converter.convert(bad, tmp_path / "out", Recipe())
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir() if path.name != "cache"] == ["bad"]


@pytest.mark.parametrize("converter", [c for c in all_converters() if c.source == ONNX], ids=lambda converter: converter.name)
def test_onnx_weights_must_be_finite(converter: OpenvinoFromOnnx, made: dict[Node, Artifact], recipe: Recipe, tmp_path: Path) -> None:
    import onnx

    source = made[ONNX]
    with new_folder(tmp_path / "bad") as work:
        model = onnx.load(source.model_file)
        tensor = next(tensor for tensor in model.graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT)
        values = onnx.numpy_helper.to_array(tensor).copy()
        values.flat[0] = np.nan
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
        onnx.save(model, work / "model.onnx")
        manifest = replace(source.manifest, files={"model.onnx": sha256_of(work / "model.onnx")})
        (work / MANIFEST).write_bytes(manifest.to_json())
    with pytest.raises(InputError, match=f"weight '{tensor.name}': expected finite"):
        converter.convert(Artifact.load(tmp_path / "bad"), tmp_path / "out", recipe)
    assert not (tmp_path / "out").exists()


def test_a_signature_that_is_not_the_nets_is_refused(source: Artifact, tmp_path: Path) -> None:
    image, logits = source.manifest.signature.inputs[0], source.manifest.signature.outputs[0]
    for wrong, text in (
        (Signature((image, TensorSpec("other", "float32", (1,))), (logits,)), "another number of inputs"),
        (Signature((replace(image, shape=("batch", 64)),), (logits,)), "another rank"),
        (Signature((image,), (replace(logits, shape=("batch", 11)),)), "another shape"),
        (Signature((replace(image, shape=(2, 1, 8, 8)),), (logits,)), "another shape"),
    ):
        with pytest.raises(ConversionError, match=text):
            OnnxFromPt2().convert(with_signature(source, wrong), tmp_path / "out", Recipe())
    assert not (tmp_path / "out").exists()


def test_names_may_be_swapped_and_taken(two_inputs: dict[Node, Artifact], tmp_path: Path) -> None:
    import onnx

    source = two_inputs[Node(Format.PT2, Precision.FP32)]
    tokens, extra = source.manifest.signature.inputs
    logits, hidden = source.manifest.signature.outputs
    # "embedding" is the exporter's name for a tensor inside the net.
    swapped = Signature((replace(tokens, name="extra"), replace(extra, name="tokens")), (replace(logits, name="embedding"), hidden))
    made = OnnxFromPt2().convert(with_signature(source, swapped), tmp_path / "out", Recipe())
    graph = onnx.load(made.model_file).graph
    assert [value.name for value in graph.input] == ["extra", "tokens"]
    assert [value.name for value in graph.output] == ["embedding", "hidden"]
    assert [dim.dim_param for dim in graph.input[0].type.tensor_type.shape.dim] == ["batch", ""]


def test_openvino_must_keep_the_names(made: dict[Node, Artifact], tmp_path: Path) -> None:
    signature = made[ONNX].manifest.signature
    wrong = Signature(signature.inputs, (replace(signature.outputs[0], name="scores"),))
    with pytest.raises(ConversionError, match=r"OpenVINO changed 'scores': .* got no such tensor"):
        OpenvinoFromOnnx().convert(with_signature(made[ONNX], wrong), tmp_path / "out", Recipe())


@pytest.mark.parametrize("sizes", [(), (0, 1)])
def test_batch_sizes_must_be_positive(sizes: tuple[int, ...], source: Artifact, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="batch sizes"):
        TfliteFromPt2().convert(source, tmp_path / "out", Recipe(batch_sizes=sizes))


def test_tflite_frees_the_batch_only(source: Artifact, tmp_path: Path) -> None:
    image = source.manifest.signature.inputs[0]
    free = Signature((replace(image, shape=("batch", 1, "height", 8)),), source.manifest.signature.outputs)
    with pytest.raises(InputError, match="also free: height"):
        TfliteFromPt2().convert(with_signature(source, free), tmp_path / "out", Recipe())


def test_a_net_without_matrix_products_has_no_dynamic_int8(tmp_path: Path) -> None:
    import torch
    from torch import nn

    signature = Signature((TensorSpec("x", "float32", ("batch", 1, 8, 8)),), (TensorSpec("y", "float32", ("batch", 2, 8, 8)),))
    net = export(tmp_path / "net", nn.Conv2d(1, 2, 3, padding=1), (torch.zeros(2, 1, 8, 8),), signature, "net")
    onnx = OnnxFromPt2().convert(net, tmp_path / "onnx", Recipe())
    converter = next(converter for converter in all_converters() if converter.name == "onnx_int8_dynamic")
    with pytest.raises(ConversionError, match="quantized nothing"):
        converter.convert(onnx, tmp_path / "out", Recipe())
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "cache") == ["net", "onnx"]
