"""What converters and interpreters say, in one line and in the words of the network."""

from __future__ import annotations

import pytest

from toolkit.converters.edges.onnx_from_pt2 import _reason as exporter_reason
from toolkit.converters.edges.tflite_from_onnx import _said
from toolkit.converters.litert import _reason
from toolkit.core import first_line, words_of


@pytest.fixture
def module() -> object:
    import torch

    class Net(torch.nn.Module):
        def forward(self, x: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.pad(x.scatter(1, places, x.sin()), (1, 1))

    return torch.export.export(Net(), (torch.zeros(2, 3), torch.zeros(2, 3, dtype=torch.int64))).module()


def test_an_operator_that_tf_lite_does_not_have_is_named_after_the_networks(module: object) -> None:
    text = "Didn't find op for builtin opcode 'STABLEHLO_SCATTER' version '1'. An older version of this builtin might be supported."
    assert _reason(text, module) == "TF Lite has no operator SCATTER, made of the network's aten.scatter.src"


def test_an_operator_that_the_interpreter_refuses_too(module: object) -> None:
    text = "tensorflow/lite/kernels/pad.cc:79 op_context.dims <= 5 was not true.\nNode number 8 (PAD) failed to prepare."
    reason = _reason(text, module)
    assert reason.startswith("TF Lite's PAD, made of the network's aten.pad.default cannot run: tensorflow/lite/kernels/pad.cc:79")
    assert "\n" not in reason


def test_other_errors_stay(module: object) -> None:
    assert not _reason("out of memory", module)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('in user code:\n\n    File "/x/y.py", line 3, in f\n    return g(x)\n\n    ValueError: Sizes differ', "ValueError: Sizes differ"),
        ('Exception encountered when calling layer "m".\n\n{{f}} sizes [Op:Mul]\n\nCall arguments received', "{{f}} sizes [Op:Mul]"),
        ("The \x1b[93mweights\x1b[0m differ", "The weights differ"),
        ("", ""),
    ],
)  # fmt: skip
def test_onnx2tf_says_what_is_wrong_and_not_where_it_was(text: str, said: str) -> None:
    assert _said(text) == said


def test_torchs_exporter_names_the_operator_or_the_node_and_gives_no_advice() -> None:
    advice = "Failed to convert. \x1b[96mThis is step 3/3\x1b[0m of exporting. Next steps:\n- implement it and register it to the registry."
    for cause, told in (
        (
            "No ONNX function found for <OpOverload(op='aten.det', overload='default')>. Failure message: none",
            "no operator of ONNX for 'aten.det.default'",
        ),
        ("Python integer is expected", "RuntimeError: Python integer is expected, at node 'det'"),
    ):
        error = RuntimeError(advice)
        error.__cause__ = RuntimeError("Error when translating node %det : [num_users=1] = call_function")
        error.__cause__.__cause__ = RuntimeError(cause)
        assert exporter_reason(error) == told


def test_colours_of_a_terminal_are_no_words() -> None:
    error = RuntimeError("\x1b[96mstep 3/3\x1b[0m failed")
    assert (first_line(error), words_of(error)) == ("step 3/3 failed", "RuntimeError: step 3/3 failed")
