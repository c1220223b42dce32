"""The ranges of an ONNX model's tensors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from tests.converters.test_onnx_moves import graph
from toolkit.converters.onnx_ranges import save_min_max


def test_a_tensor_whose_type_no_file_says_has_a_range(tmp_path: Path) -> None:
    """As in silero-vad's branches once they are folded: the quantizer infers their types and wants their ranges."""
    model = onnx.helper.make_model(graph(), opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    assert not model.graph.value_info
    onnx.save(model, file := tmp_path / "net.onnx")
    feeds = [{"x": np.full((2, 5), value, np.float32)} for value in (4, 9)]
    assert save_min_max(file, {"MatMul", "Concat"}, feeds, cache := tmp_path / "ranges.json") == []
    assert '"both"' in cache.read_text()
    assert '"one"' in cache.read_text()
