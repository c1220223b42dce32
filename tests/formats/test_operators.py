from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.core import ArtifactError, Format
from toolkit.formats import find_format

PLAIN = """<?xml version="1.0"?>{doctype}<net name="n" version="11"><layers>
<layer id="0" name="x" type="Parameter"><data shape="?,4" element_type="f32"/></layer>
<layer id="1" name="w" type="Const"><data element_type="{weight}" shape="4,4" offset="0" size="16"/></layer>
<layer id="2" name="c" type="Convert"/><layer id="3" name="s" type="Const"><data element_type="f32" shape="" offset="16" size="4"/></layer>
<layer id="4" name="d" type="Multiply"/><layer id="5" name="m" type="MatMul"/><layer id="6" name="r" type="ReLU"/>
<layer id="7" name="y" type="Result"/></layers><edges>
<edge from-layer="1" to-layer="2"/><edge from-layer="2" to-layer="4"/><edge from-layer="3" to-layer="4"/>
<edge from-layer="0" to-layer="5"/><edge from-layer="4" to-layer="5"/><edge from-layer="5" to-layer="6"/><edge from-layer="6" to-layer="7"/>
</edges></net>"""


@pytest.mark.parametrize(("weight", "quantized"), [("i8", 1), ("u8", 1), ("i4", 1), ("f16", 0), ("i64", 0)])
def test_openvino_weights_through_their_decompression(weight: str, quantized: int, tmp_path: Path) -> None:
    file = tmp_path / "model.xml"
    file.write_text(PLAIN.format(weight=weight, doctype=""))
    found = find_format(Format.OPENVINO).operators(file)
    assert found.by_type == {"Convert": 1, "MatMul": 1, "Multiply": 1, "ReLU": 1}
    assert (found.total, found.quantized) == (4, quantized)


def test_a_document_type_is_refused(tmp_path: Path) -> None:
    for encoding in ("utf-8", "utf-16"):
        file = tmp_path / "model.xml"
        text = PLAIN.format(weight="f32", doctype='<!DOCTYPE net [<!ENTITY e SYSTEM "file:///etc/passwd">]>')
        file.write_bytes(text.replace('version="1.0"', f'version="1.0" encoding="{encoding}"').encode(encoding))
        with pytest.raises(ArtifactError, match="DOCTYPE"):
            find_format(Format.OPENVINO).operators(file)


@pytest.mark.parametrize("format", list(Format))
@pytest.mark.parametrize("content", [b"", b"\0" * 64, b"not a model at all, just words"])
def test_other_files_are_refused_in_one_line(format: Format, content: bytes, tmp_path: Path) -> None:
    file = tmp_path / format.file_name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    with pytest.raises(ArtifactError) as caught:
        find_format(format).operators(file)
    assert "\n" not in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no model file"):
        find_format(Format.ONNX).operators(tmp_path / "model.onnx")


def test_onnx_subgraphs_are_counted(tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    out = helper.make_tensor_value_info("o", TensorProto.FLOAT, [1])
    inner = helper.make_graph([helper.make_node("Relu", ["x"], ["o"])], "inner", [], [out])
    outer = helper.make_graph(
        [helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)],
        "outer",
        [helper.make_tensor_value_info("c", TensorProto.BOOL, []), helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    )
    onnx.save(helper.make_model(outer), tmp_path / "model.onnx")
    assert find_format(Format.ONNX).operators(tmp_path / "model.onnx").by_type == {"If": 1, "Relu": 2}
