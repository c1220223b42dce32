"""What a session says of itself: what the file stores, and what the engine computes with."""

from __future__ import annotations

import pytest

from toolkit.core import Artifact, Precision
from toolkit.models.alphago.shipped import shipped_net
from toolkit.runtimes import open_session
from toolkit.runtimes.base import Actual


@pytest.mark.parametrize(
    ("stored", "computed", "words"),
    [
        (Precision.FP32, Precision.FP32, "fp32"),
        (Precision.BF16, Precision.BF16, "bf16"),
        (Precision.FP16, Precision.FP32, "fp16 weights, computed in fp32"),
        (Precision.INT8, Precision.FP32, "int8 weights and activations, fp32 where an operator has no int8"),
        (Precision.INT8_DYNAMIC, Precision.FP32, "int8 weights and activations measured at run time, fp32 where an operator has no int8"),
        (Precision.INT8_WEIGHTS, Precision.FP32, "int8 weights, computed in fp32"),
        (Precision.INT4_WEIGHTS, Precision.BF16, "int4 weights, computed in bf16"),
        (Precision.INT16X8, Precision.FP32, "int8 weights and int16 activations, fp32 where an operator has no int16"),
        (None, Precision.FP32, "fp32 (the file does not say what it stores)"),
    ],
)
def test_what_is_stored_and_what_is_computed_with_are_two_facts(stored: Precision | None, computed: Precision, words: str) -> None:
    assert Actual("engine", "1", "cpu", computed, 1, precision=stored).arithmetic == words


def test_an_int8_file_is_not_called_fp32() -> None:
    artifact = Artifact.load(shipped_net("go-5x5") / "onnx-int8")
    with open_session(artifact, engine="onnxruntime") as session:
        assert (session.actual.precision, session.actual.float_type) == (Precision.INT8, Precision.FP32)
        assert session.actual.arithmetic.startswith("int8 weights and activations")
    with open_session(artifact.model_file, engine="onnxruntime") as session:
        assert session.actual.precision is None, "a bare file does not tell"
