"""Scans, each as the Loop that computes the same: in ONNX Runtime, in OpenVINO at free sizes, and in PyTorch for TF Lite."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from toolkit.converters.onnx_scan import scan_as_loop
from toolkit.converters.onnx_torch import OnnxModule
from toolkit.converters.openvino_rewrites import rewrite
from toolkit.core import ConversionError, Signature, TensorSpec
from toolkit.formats.parts.openvino_model import read_model

START = """
  zero = Constant<value = float {0.0}>()
  mean = ReduceMean<axes = [1], keepdims = 0>(x)
  start = Mul(mean, zero)"""
STEP = "step (float[batch,3] state, float[batch,3] row) => (float[batch,3] next, float[batch,3] out)"
SUMS = "{ next = Add(state, row)\n out = Identity(next) }"


def _model(nodes: str, last: str = "last", opset: int = 17) -> onnx.ModelProto:
    text = f'<ir_version: 8, opset_import: ["" : {opset}]>\n'
    outputs = f"float[batch,3] {last}, float[batch,steps,3] y" if last else "float[batch,steps,3] y"
    return onnx.parser.parse_model(f"{text}one (float[batch,steps,3] x) => ({outputs}) {{{START}\n{nodes}\n}}")


ALONG = "num_scan_inputs = 1, scan_input_axes = [1], scan_output_axes = [1]"
MODELS = {
    "sums": f"last, y = Scan<{ALONG}, body = {STEP} {SUMS}>(start, x)",
    "counted from the end": f"last, y = Scan<{ALONG.replace('[1]', '[-2]')}, body = {STEP} {SUMS}>(start, x)",
    "backwards": f"last, y = Scan<{ALONG}, scan_input_directions = [1], scan_output_directions = [1], body = {STEP} {SUMS}>(start, x)",
    "turned": f"last, y = Scan<{ALONG}, scan_output_directions = [1], body = {STEP} {SUMS}>(start, x)",
    "a value from outside": f"""
        last, y = Scan<{ALONG}, body = {STEP} {{
            sum = Add(state, row)
            next = Add(sum, mean)
            out = Neg(next)
        }}>(start, x)""",
    "a state that stays": f"""
        last, y = Scan<{ALONG}, body = {STEP} {{
            next = Identity(state)
            out = Add(state, row)
        }}>(mean, x)""",
    "two inputs": """
        wide = Transpose<perm = [1, 0, 2]>(x)
        last, y = Scan<num_scan_inputs = 2, scan_input_axes = [1, 0], scan_input_directions = [0, 1], scan_output_axes = [1], body =
            step (float[batch,3] state, float[batch,3] row, float[batch,3] other) => (float[batch,3] next, float[batch,3] out) {
                out = Mul(row, other)
                next = Add(state, out)
            }>(start, x, wide)""",
    "no state": f"""
        last = Identity(mean)
        y = Scan<{ALONG}, body = step (float[batch,3] row) => (float[batch,3] out) {{ out = Sub(row, mean) }}>(x)""",
    "along the first axis": f"""
        wide = Transpose<perm = [1, 0, 2]>(x)
        last, all = Scan<num_scan_inputs = 1, body = {STEP} {SUMS}>(start, wide)
        y = Transpose<perm = [1, 0, 2]>(all)""",
}


def _expected(model: onnx.ModelProto, x: np.ndarray) -> list[np.ndarray]:
    found: list[np.ndarray] = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    return found


def _rows(batch: int = 2, steps: int = 5) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((batch, steps, 3)).astype(np.float32)


@pytest.mark.parametrize("kind", MODELS)
def test_a_loop_computes_the_same_in_every_engine(kind: str, tmp_path: Path) -> None:
    import openvino
    import torch

    wanted = _expected(_model(MODELS[kind]), _rows())
    model = _model(MODELS[kind])
    assert scan_as_loop(model) == 1
    onnx.checker.check_model(model, full_check=True)
    assert {node.op_type for node in model.graph.node} & {"Scan", "Loop"} == {"Loop"}
    for found, exact in zip(_expected(model, _rows()), wanted, strict=True):
        np.testing.assert_allclose(found, exact, atol=1e-6)

    file, model = tmp_path / "net.onnx", _model(MODELS[kind])
    assert rewrite(model)
    file.write_bytes(model.SerializeToString())
    compiled = openvino.Core().compile_model(read_model(file), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for x in (_rows(), _rows(3, 7)):
        for found, exact in zip(compiled([x]).values(), _expected(_model(MODELS[kind]), x), strict=True):
            np.testing.assert_allclose(found, exact, atol=1e-5)

    signature = Signature(
        (TensorSpec("x", "float32", (2, 5, 3)),), (TensorSpec("last", "float32", (2, 3)), TensorSpec("y", "float32", (2, 5, 3)))
    )
    for tensor, exact in zip(OnnxModule(_model(MODELS[kind]), signature)(torch.from_numpy(_rows())), wanted, strict=True):
        np.testing.assert_allclose(tensor.detach().numpy(), exact, atol=1e-5)


def test_a_scan_in_a_branch_becomes_a_loop_too() -> None:
    nodes = f"""
        sum = ReduceSum<keepdims = 0>(x)
        some = Greater(sum, zero)
        y = If(some) <then_branch = yes () => (float[batch,steps,3] z) {{
            a, b = Scan<num_scan_inputs = 1, scan_input_axes = [1], body = {STEP} {SUMS}>(start, x)
            z = Transpose<perm = [1, 0, 2]>(b)
        }}, else_branch = no () => (float[batch,steps,3] w) {{ w = Neg(x) }}>"""
    wanted = _expected(_model(nodes, last=""), np.abs(_rows()))
    model = _model(nodes, last="")
    assert scan_as_loop(model) == 1
    np.testing.assert_allclose(_expected(model, np.abs(_rows()))[0], wanted[0], atol=1e-6)
    assert "Scan" not in str([attribute.g for node in model.graph.node for attribute in node.attribute if attribute.name == "then_branch"])


def test_one_that_an_old_operator_set_cannot_express_stays_as_it_is() -> None:
    assert scan_as_loop(_model(MODELS["sums"], opset=9)) == 1
    for kind, opset in (("sums", 8), ("counted from the end", 10), ("turned", 9)):
        model = _model(MODELS[kind], opset=opset)
        before = model.SerializeToString()
        assert scan_as_loop(model) == 0
        assert model.SerializeToString() == before
    assert scan_as_loop(_model("last = Identity(mean)\ny = Identity(x)")) == 0


def test_one_of_too_many_steps_to_unroll_is_named_for_tf_lite() -> None:
    import torch

    signature = Signature((TensorSpec("x", "float32", (2, 400, 3)),), (TensorSpec("y", "float32", (2, 400, 3)),))
    with pytest.raises(
        ConversionError, match=r"Loop \('Scan/last'\) has no equivalent in torch: expected a number of rounds .* at most 128"
    ):
        OnnxModule(_model(MODELS["sums"]), signature)(torch.from_numpy(_rows(2, 400)))
