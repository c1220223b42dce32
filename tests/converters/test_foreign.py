"""What networks of others have and the reference models have not: inputs by name, fields, masks of infinities, states, old operators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.converters.engines import compute
from toolkit.converters.base import Recipe
from toolkit.converters.edges.onnx_from_pt2 import OnnxFromPt2
from toolkit.converters.edges.onnx_int8 import OnnxInt8
from toolkit.converters.edges.tflite_from_onnx import TfliteFromOnnx
from toolkit.converters.edges.tflite_from_pt2 import TfliteFromPt2
from toolkit.core import (
    MANIFEST,
    Artifact,
    EngineError,
    Format,
    InputError,
    Manifest,
    Precision,
    Samples,
    Signature,
    TensorSpec,
    new_folder,
    sha256_of,
)
from toolkit.runtimes import open_session

FROM_PT2 = [OnnxFromPt2(), TfliteFromPt2()]


def exported(folder: Path, forward: Callable[..., Any], example: dict[str, Any]) -> Artifact:
    """A .pt2 artifact of a network that takes its inputs by name, with the signature that the toolkit reads out of the bare file."""
    import torch

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.layer = torch.nn.Linear(8, 4)
            self.register_buffer("calls", torch.zeros(4))

        def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> Any:
            return forward(self, x, mask)

    batch = torch.export.Dim("batch", min=1)
    program = torch.export.export(Net().eval(), (), example, dynamic_shapes={name: {0: batch} for name in example})
    with new_folder(folder) as work:
        file = work / "model.pt2"
        torch.export.save(program, file)
        with open_session(file) as session:
            manifest = Manifest("net", Format.PT2, Precision.FP32, session.signature, {file.name: sha256_of(file)}, "import")
        (work / MANIFEST).write_bytes(manifest.to_json())
    return Artifact.load(folder)


def zeros(*shape: int) -> Any:
    import torch

    return torch.zeros(*shape)


def inputs(artifact: Artifact, rows: int) -> dict[str, np.ndarray]:
    """Normal numbers; flags whose first column is always true, so that a softmax has something to choose from."""
    random = np.random.default_rng(1)
    arrays: dict[str, np.ndarray] = {}
    for spec in artifact.manifest.signature.inputs:
        shape = spec.concrete(rows)
        arrays[spec.name] = random.random(shape) < 0.5 if spec.dtype == "bool" else random.standard_normal(shape).astype(spec.dtype)
        if spec.dtype == "bool":
            arrays[spec.name][:, 0] = True
    return arrays


@pytest.mark.parametrize("converter", FROM_PT2, ids=lambda converter: converter.name)
def test_inputs_by_name_and_outputs_in_fields(converter: OnnxFromPt2 | TfliteFromPt2, tmp_path: Path) -> None:
    """One output is an input, one appears twice, one is of whole numbers, one is None."""
    import torch

    def forward(net: Any, x: torch.Tensor, mask: torch.Tensor) -> dict[str, Any]:
        y = net.layer(torch.where(mask, x, 0.5))
        return {"logits": y, "states": (x, [y]), "choice": y.argmax(-1), "nothing": None}

    source = exported(tmp_path / "pt2-fp32", forward, {"x": torch.zeros(2, 8), "mask": torch.ones(2, 8, dtype=torch.bool)})
    names = [spec.name for spec in source.manifest.signature.outputs]
    assert names == ["logits", "states.0", "states.1.0", "choice"]
    made = converter.convert(source, tmp_path / "out", Recipe(batch_sizes=(1, 32)))
    arrays = inputs(source, 33)
    with open_session(source) as session:
        expected = session.run(arrays).as_dict()
    for name, array in compute(made, arrays).items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-4, atol=1e-5, err_msg=name)


def test_tflite_puts_a_batch_together_where_it_is_not_the_first_dimension(tmp_path: Path) -> None:
    source = exported(tmp_path / "pt2-fp32", lambda net, x, mask: net.layer(x).t(), {"x": zeros(2, 8)})
    made = TfliteFromPt2().convert(source, tmp_path / "out", Recipe(batch_sizes=(1, 4)))
    arrays = inputs(source, 7)
    with open_session(source) as one, open_session(made) as other:
        expected, found = one.run(arrays)[0], other.run(arrays)[0]
    assert found.shape == (4, 7)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_tflite_does_not_guess_where_the_rows_of_two_batches_lie(tmp_path: Path) -> None:
    import torch

    source = exported(tmp_path / "pt2-fp32", lambda net, x, mask: torch.cat([net.layer(x), net.layer(-x)]), {"x": zeros(2, 8)})
    made = TfliteFromPt2().convert(source, tmp_path / "out", Recipe(batch_sizes=(1, 4)))
    with open_session(source) as one, open_session(made) as other:
        four = inputs(source, 4)
        np.testing.assert_allclose(other.run(four)[0], one.run(four)[0], rtol=1e-4, atol=1e-5)
        with pytest.raises(EngineError, match="batch 7 has to be put together"):
            other.run(inputs(source, 7))


@pytest.mark.parametrize("converter", FROM_PT2, ids=lambda converter: converter.name)
def test_a_mask_of_infinities_is_no_broken_weight(converter: OnnxFromPt2 | TfliteFromPt2, tmp_path: Path) -> None:
    import torch

    def forward(net: Any, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        causal = torch.full((8, 8), float("-inf")).triu(1)[3]
        answer: torch.Tensor = net.layer(torch.softmax(x + torch.where(mask, 0.0, float("-inf")) + causal, -1))
        return answer

    source = exported(tmp_path / "pt2-fp32", forward, {"x": torch.zeros(2, 8), "mask": torch.ones(2, 8, dtype=torch.bool)})
    made = converter.convert(source, tmp_path / "out", Recipe(batch_sizes=(1, 32)))
    arrays = inputs(source, 33)
    with open_session(source) as session:
        expected = session.run(arrays)
    (found,) = compute(made, arrays).values()
    np.testing.assert_allclose(found, expected[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("converter", FROM_PT2, ids=lambda converter: converter.name)
def test_a_network_that_changes_itself_is_refused(converter: OnnxFromPt2 | TfliteFromPt2, tmp_path: Path) -> None:
    import torch

    def forward(net: Any, x: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        net.calls.add_(1)
        answer: torch.Tensor = net.layer(x) + net.calls
        return answer

    source = exported(tmp_path / "pt2-fp32", forward, {"x": torch.zeros(2, 8)})
    with pytest.raises(InputError, match=r"'model\.pt2' changes its own 'calls' in each call"):
        converter.convert(source, tmp_path / "out", Recipe())
    assert not (tmp_path / "out").exists()


def old_onnx(folder: Path, nodes: list[Any], weights: dict[str, np.ndarray], image: tuple[int, ...], scores: tuple[int, ...]) -> Artifact:
    """An artifact from ``net/x`` to ``net/y``, no identifiers, of operator set 9, in which weights are inputs with a default."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    tensors = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()]
    graph = helper.make_graph(
        nodes,
        "old",
        [helper.make_tensor_value_info("net/x", TensorProto.FLOAT, image)]
        + [helper.make_tensor_value_info(tensor.name, TensorProto.FLOAT, list(tensor.dims)) for tensor in tensors],
        [helper.make_tensor_value_info("net/y", TensorProto.FLOAT, scores)],
        tensors,
    )
    with new_folder(folder) as work:
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)], ir_version=3), work / "model.onnx")
        signature = Signature((TensorSpec("net/x", "float32", image),), (TensorSpec("net/y", "float32", scores),))
        files = {"model.onnx": sha256_of(work / "model.onnx")}
        (work / MANIFEST).write_bytes(Manifest("old", Format.ONNX, Precision.FP32, signature, files, "import").to_json())
    return Artifact.load(folder)


def test_an_old_onnx_file_is_quantized(tmp_path: Path) -> None:
    """Opset 9, whose quantization has one scale for all channels."""
    from onnx import helper

    random = np.random.default_rng(0)
    weights = {"w": random.standard_normal((8, 3, 3, 3)), "b": random.standard_normal(8), "v": random.standard_normal((8 * 36, 5))}
    nodes = [
        helper.make_node("Conv", ["net/x", "w", "b"], ["c"], name="conv"),
        helper.make_node("Relu", ["c"], ["r"], name="relu"),
        helper.make_node("Flatten", ["r"], ["f"], name="flat"),
        helper.make_node("MatMul", ["f", "v"], ["net/y"], name="last"),
    ]
    source = old_onnx(tmp_path / "onnx-fp32", nodes, weights, (1, 3, 8, 8), (1, 5))
    samples = Samples({"net/x": random.random((20, 3, 8, 8)).astype(np.float32)})
    made = OnnxInt8().convert(source, tmp_path / "out", replace(Recipe(), calibration=samples))
    one = {"net/x": samples.inputs["net/x"][:1]}
    expected, found = compute(source, one)["net/y"], compute(made, one)["net/y"]
    assert np.abs(expected - found).max() < 0.05 * np.abs(expected).max()


@pytest.mark.tensorflow
def test_an_old_softmax_is_over_all_that_follows_its_axis(tmp_path: Path) -> None:
    """Until opset 13; today's would be 1 for each of the images of one pixel that end SqueezeNet."""
    from onnx import helper

    random = np.random.default_rng(0)
    nodes = [
        helper.make_node("Conv", ["net/x", "w"], ["c"], name="conv"),
        helper.make_node("GlobalAveragePool", ["c"], ["p"], name="pool"),
        helper.make_node("Softmax", ["p"], ["net/y"], name="last"),
    ]
    source = old_onnx(tmp_path / "onnx-fp32", nodes, {"w": random.standard_normal((5, 3, 3, 3))}, (1, 3, 8, 8), (1, 5, 1, 1))
    made = TfliteFromOnnx().convert(source, tmp_path / "out", Recipe())
    one = {"net/x": random.random((1, 3, 8, 8)).astype(np.float32)}
    np.testing.assert_allclose(compute(made, one)["net/y"], compute(source, one)["net/y"], rtol=1e-4, atol=1e-5)
