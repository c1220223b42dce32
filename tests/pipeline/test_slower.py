"""Why integers are slower than float, in the first line of a benchmark's answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.core.test_measurement import SETTING, a_report, measured
from toolkit.converters.quantizer import Execution
from toolkit.pipeline.slower import reasons_of, slower_of


def test_a_file_in_integers_that_is_slower_says_so_with_a_reason(tmp_path: Path) -> None:
    floats = replace(SETTING, artifact="onnx-fp32", folder="onnx-fp32")
    integers = replace(SETTING, artifact="onnx-int8", folder="onnx-int8")
    fast, slow = [100.0, 101.0, 102.0, 100.0, 101.0], [150.0, 149.0, 151.0, 150.0, 149.0]
    (found,) = slower_of(a_report(measured(*fast, setting=floats), measured(*slow, setting=integers)), tmp_path)
    assert str(found).startswith("onnx-int8 is slower than onnx-fp32, 0.67 times as fast: ")
    assert "onnx-int8" in found.reasons[0], "the file is not there, which is said in place of a reason"
    assert slower_of(a_report(measured(*slow, setting=floats), measured(*fast, setting=integers)), tmp_path) == ()
    assert slower_of(a_report(measured(*slow, setting=integers)), tmp_path) == ()


def test_conversions_that_are_left_are_a_reason() -> None:
    assert reasons_of(Execution(frozenset(), 5))[0] == "5 conversions between integers and floats are left in the graph"
    assert not any("conversions" in reason for reason in reasons_of(Execution(frozenset(), 0)))
