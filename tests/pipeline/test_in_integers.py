"""ONNX files that are in integers already: what they are called, what is made of them, and why nothing else is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from toolkit.converters.base import Node
from toolkit.core import Format, Precision
from toolkit.formats import find_format
from toolkit.pipeline.convert import Request, convert, for_source, nodes, succeeded
from toolkit.pipeline.source.resolve import resolve_source
from toolkit.pipeline.source.samples import split_samples

_QDQ = """<ir_version: 9, opset_import: ["" : 17]>
one (float[batch,4] x) => (float[batch,3] y)
<float scale = {0.05}, uint8 middle = {128}, int8[4,3] weight = {3,-5,7,2,9,-8,1,4,-6,5,0,2}, float small = {0.02}, int8 zero = {0}> {
    whole = QuantizeLinear(x, scale, middle)
    back = DequantizeLinear(whole, scale, middle)
    real = DequantizeLinear(weight, small, zero)
    y = MatMul(back, real)
}"""


def _file(folder: Path, text: str) -> Path:
    import onnx

    file = folder / "net.onnx"
    onnx.save(onnx.parser.parse_model(text), file)
    return file


@pytest.mark.parametrize(
    ("lines", "precision"),
    [
        ("q, s, z = DynamicQuantizeLinear(x)\n y = Cast<to = 1>(q)", Precision.INT8_DYNAMIC),
        ("y = Neg(x)", Precision.FP32),
    ],
)
def test_a_graph_says_what_it_is(lines: str, precision: Precision, tmp_path: Path) -> None:
    text = f'<ir_version: 9, opset_import: ["" : 17]>\none (float[batch,4] x) => (float[batch,4] y) {{ {lines} }}'
    assert find_format(Format.ONNX).precision(_file(tmp_path, text)) is precision


def test_weights_alone_in_integers_are_another_precision(tmp_path: Path) -> None:
    alone = _QDQ.replace("MatMul(back, real)", "MatMul(x, real)").replace("whole = QuantizeLinear(x, scale, middle)\n", "")
    alone = alone.replace("back = DequantizeLinear(whole, scale, middle)\n", "")
    assert find_format(Format.ONNX).precision(_file(tmp_path, alone)) is Precision.INT8_WEIGHTS


def test_it_stays_goes_to_openvino_and_says_why_there_is_no_half(tmp_path: Path) -> None:
    source = resolve_source(str(_file(tmp_path, _QDQ)), out=tmp_path / "out").place()
    assert source.name == "onnx-int8"
    targets = for_source(nodes(["onnx", "openvino"], ["fp16"]), source)
    assert targets[:2] == (Node(Format.ONNX, Precision.INT8), Node(Format.OPENVINO, Precision.INT8))
    np.savez(tmp_path / "rows.npz", x=np.random.default_rng(0).normal(size=(600, 4)).astype(np.float32))
    split = split_samples(source, str(tmp_path / "rows.npz"))
    rows = convert(Request(source, targets, tmp_path / "out" / "net", split))
    assert [row.target for row in rows if row.artifact is not None] == ["onnx-int8", "openvino-int8"]
    assert all(row.passed for row in rows[:2]), [row.reason for row in rows]
    reasons = {row.reason for row in rows[2:]}
    assert len(reasons) == 1
    assert reasons.pop().startswith("no fp16: the source is onnx-int8 already: expected one of onnx-int8, openvino-int8")
    assert succeeded(rows), "what cannot be is no failure beside what was made"
