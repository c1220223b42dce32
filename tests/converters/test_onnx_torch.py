"""Each operator against ONNX Runtime, on graphs of one node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from toolkit.core import ConversionError, Signature, TensorSpec

RANDOM = np.random.default_rng(0)
IMAGE = RANDOM.normal(size=(2, 4, 7, 9)).astype(np.float32)
ROWS = RANDOM.normal(size=(2, 6)).astype(np.float32)
STEPS = RANDOM.normal(size=(5, 2, 3)).astype(np.float32)
WHOLE = RANDOM.integers(-9, 9, (2, 6)).astype(np.int64)


@dataclass(frozen=True)
class Case:
    """A node: its inputs, those of the network first, then constants; and how many outputs it has."""

    type: str
    inputs: Sequence[np.ndarray]
    constants: Sequence[Any] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    outputs: int = 1

    def __str__(self) -> str:
        return "-".join([self.type, *map(str, self.attributes.values())]).replace(" ", "")


def _weights(*shape: int) -> np.ndarray:
    return RANDOM.normal(size=shape).astype(np.float32)


def _whole(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


POSITIVE = np.abs(ROWS) + 0.1
UNARY = [
    "Abs",
    "Acos",
    "Atan",
    "Ceil",
    "Cos",
    "Erf",
    "Exp",
    "Floor",
    "Neg",
    "Reciprocal",
    "Relu",
    "Round",
    "Sigmoid",
    "Sign",
    "Softplus",
    "Softsign",
    "Tanh",
]
CASES = [
    *(Case(name, [np.clip(ROWS, -0.9, 0.9)]) for name in UNARY),
    *(Case(name, [POSITIVE]) for name in ("Log", "Sqrt")),
    *(Case(name, [ROWS], attributes={"alpha": 0.3}) for name in ("LeakyRelu", "Elu", "Celu", "ThresholdedRelu", "HardSigmoid", "Selu")),
    *(Case(name, [ROWS]) for name in ("HardSwish", "Mish", "LogSoftmax")),
    Case("Softmax", [IMAGE], attributes={"axis": 1}),
    Case("Gelu", [ROWS], attributes={"approximate": "tanh"}),
    *(Case(name, [ROWS, ROWS[:1] + 0.5]) for name in ("Add", "Sub", "Mul", "Div", "Max", "Min", "Mean", "Sum", "Less", "Equal")),
    Case("Div", [WHOLE], [_whole(4)]),
    Case("Mod", [WHOLE], [_whole(4)]),
    Case("Pow", [ROWS], [np.float32(2)]),
    Case("Pow", [POSITIVE], [np.float32(1.7)]),
    Case("PRelu", [IMAGE], [_weights(4, 1, 1)]),
    Case("Clip", [ROWS], [np.float32(-0.3), np.float32(0.2)]),
    Case("Cast", [ROWS], attributes={"to": 7}),
    Case("Where", [ROWS > 0, ROWS, -ROWS]),
    Case("MatMul", [STEPS], [_weights(3, 4)]),
    Case("Gemm", [ROWS], [_weights(5, 6), _weights(5)], {"transB": 1}),
    Case("Gemm", [ROWS], [_weights(6, 5), _weights(5)], {"alpha": 0.5, "beta": 2.0}),
    Case("Einsum", [STEPS, STEPS], attributes={"equation": "tbf,sbf->bts"}),
    Case("Conv", [IMAGE], [_weights(6, 4, 3, 3), _weights(6)], {"strides": [2, 1], "pads": [1, 0, 1, 0]}),
    Case("Conv", [IMAGE], [_weights(8, 2, 3, 3)], {"group": 2, "auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    Case("Conv", [IMAGE], [_weights(4, 4, 3, 3)], {"auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    Case("Conv", [IMAGE], [_weights(4, 4, 3, 3)], {"dilations": [2, 1], "pads": [1, 0, 1, 0]}),
    Case("Conv", [IMAGE], [_weights(4, 4, 2, 2)], {"pads": [0, 1, 1, 0]}),
    Case(
        "ConvTranspose", [IMAGE], [_weights(4, 3, 3, 3), _weights(3)], {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}
    ),
    Case("ConvTranspose", [IMAGE], [_weights(4, 3, 3, 3)], {"strides": [2, 2], "pads": [0, 1, 1, 0], "group": 2}),
    Case("ConvTranspose", [IMAGE], [_weights(4, 3, 3, 3)], {"strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    Case("MaxPool", [IMAGE], attributes={"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1}),
    Case("AveragePool", [IMAGE], attributes={"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    Case("AveragePool", [IMAGE], attributes={"kernel_shape": [3, 2], "strides": [2, 2], "ceil_mode": 1, "count_include_pad": 1}),
    Case("AveragePool", [IMAGE], attributes={"kernel_shape": [2, 2], "auto_pad": "SAME_UPPER"}),
    Case("GlobalAveragePool", [IMAGE]),
    Case("GlobalMaxPool", [IMAGE]),
    Case("BatchNormalization", [IMAGE], [_weights(4), _weights(4), _weights(4), np.abs(_weights(4)) + 1]),
    Case("InstanceNormalization", [IMAGE], [_weights(4), _weights(4)]),
    Case("LayerNormalization", [STEPS], [_weights(3), _weights(3)]),
    Case("LRN", [IMAGE], attributes={"size": 3}),
    Case("LpNormalization", [ROWS]),
    *(
        Case(f"Reduce{kind}", [IMAGE], [_whole(2, -1)], {"keepdims": 0})
        for kind in ("Mean", "Sum", "Max", "Min", "L1", "L2", "SumSquare", "LogSumExp", "Prod")
    ),
    Case("ReduceMean", [IMAGE]),
    Case("ArgMax", [np.round(ROWS)], attributes={"axis": 1, "select_last_index": 1}),
    Case("TopK", [ROWS], [_whole(3)], {"largest": 0}, outputs=2),
    Case("CumSum", [ROWS], [_whole(1)], {"exclusive": 1, "reverse": 1}),
    Case("Reshape", [IMAGE], [_whole(0, -1, 3)]),
    Case("Flatten", [IMAGE], attributes={"axis": 2}),
    Case("Squeeze", [ROWS[:, :1]], [_whole(1)]),
    Case("Unsqueeze", [ROWS], [_whole(0, -1)]),
    Case("Transpose", [IMAGE], attributes={"perm": [0, 2, 3, 1]}),
    Case("Concat", [ROWS, ROWS[:1]], attributes={"axis": 0}),
    Case("Split", [ROWS], [_whole(2, 4)], {"axis": 1}, outputs=2),
    Case("Slice", [IMAGE], [_whole(-1, 1), _whole(-99, 5), _whole(3, 2), _whole(-2, 1)]),
    Case("Gather", [IMAGE], [_whole(2, -1).reshape(1, 2)], {"axis": 1}),
    Case("Gather", [IMAGE], [np.array(-1)], {"axis": 2}),
    Case("GatherElements", [ROWS], [_whole(0, -1, 2, 1).reshape(2, 2)], {"axis": 1}),
    Case("GatherND", [IMAGE], [_whole(0, 1, 1, -1).reshape(2, 2)]),
    Case("ScatterND", [ROWS], [_whole(0, 1, 1, -1).reshape(2, 2), _weights(2)]),
    Case("ScatterElements", [ROWS], [_whole(0, 5, 2, 1).reshape(2, 2), _weights(2, 2)], {"axis": 1}),
    Case("Expand", [ROWS], [_whole(3, 1, 6)]),
    Case("Tile", [ROWS], [_whole(2, 3)]),
    Case("Pad", [IMAGE], [_whole(0, 0, 1, -2, 0, 0, 0, 3), np.float32(0.5)]),
    *(Case("Pad", [IMAGE], [_whole(0, 0, 1, -2, 0, 0, 0, -1)], {"mode": mode}) for mode in ("reflect", "edge")),
    Case("STFT", [ROWS], [np.array(2), POSITIVE[0, :4]]),
    Case("STFT", [STEPS[..., :1]], [np.array(1), np.array([1, 2], np.float32), np.array(2)], {"onesided": 1}),
    *(Case("Pad", [IMAGE], [_whole(0, 0, 1, 2, 0, 0, 0, 3)], {"mode": mode}) for mode in ("reflect", "edge", "wrap")),
    *(Case("DepthToSpace", [IMAGE], attributes={"blocksize": 2, "mode": mode}) for mode in ("DCR", "CRD")),
    Case("SpaceToDepth", [IMAGE[:, :, :6, :8]], attributes={"blocksize": 2}),
    Case("OneHot", [WHOLE % 4], [np.int64(4), np.array([0.5, 2], np.float32)], {"axis": 1}),
    *(Case("Trilu", [IMAGE], [np.array(1)], {"upper": upper}) for upper in (0, 1)),
    *(
        Case(
            kind,
            [STEPS],
            [_weights(2, gates * 4, 3), _weights(2, gates * 4, 4), _weights(2, gates * 8)],
            {"hidden_size": 4, "direction": "bidirectional"},
            outputs,
        )
        for kind, gates, outputs in (("LSTM", 4, 3), ("GRU", 3, 2), ("RNN", 1, 2))
    ),
    Case(
        "GRU",
        [STEPS],
        [_weights(1, 12, 3), _weights(1, 12, 4), _weights(1, 24)],
        {"hidden_size": 4, "direction": "reverse", "linear_before_reset": 1},
    ),
    *(
        Case(
            "Resize",
            [IMAGE],
            [np.array([], np.float32), np.array([1, 1, 2, 1.5], np.float32)],
            {"mode": mode, "coordinate_transformation_mode": how},
        )
        for mode in ("nearest", "linear", "cubic")
        for how in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")
    ),
    *(
        Case(
            "Resize",
            [IMAGE],
            [np.array([], np.float32), np.array([], np.float32), _whole(2, 4, 5, 13)],
            {"mode": "nearest", "nearest_mode": how},
        )
        for how in ("floor", "ceil", "round_prefer_ceil")
    ),
    *(
        Case(
            "GridSample",
            [IMAGE, np.clip(_weights(2, 3, 5, 2), -1.2, 1.2)],
            attributes={"mode": "linear", "padding_mode": padding, "align_corners": 1},
        )
        for padding in ("zeros", "border", "reflection")
    ),
]


def _model(case: Case) -> tuple[Any, list[str]]:
    from onnx import TensorProto, helper, numpy_helper

    given = [f"input_{place}" for place in range(len(case.inputs))]
    constants = [f"constant_{place}" for place in range(len(case.constants))]
    results = [f"output_{place}" for place in range(case.outputs)]
    # A recurrent layer has its lengths and its first state behind the weights.
    node = helper.make_node(
        case.type,
        [*given, *["" if np.size(each) == 0 else name for name, each in zip(constants, case.constants, strict=True)]],
        results,
        name="it",
        **case.attributes,
    )
    graph = helper.make_graph(
        [node],
        "one",
        [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(each.dtype), each.shape)
            for name, each in zip(given, case.inputs, strict=True)
        ],
        [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in results],
        [numpy_helper.from_array(np.asarray(each), name) for name, each in zip(constants, case.constants, strict=True) if np.size(each)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), given


def _signature(inputs: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray]) -> Signature:
    kinds = [[TensorSpec(name, str(each.dtype), each.shape) for name, each in arrays.items()] for arrays in (inputs, outputs)]
    return Signature(tuple(kinds[0]), tuple(kinds[1]))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_operator_gives_what_onnxruntime_gives(case: Case) -> None:
    import onnxruntime
    import torch

    from toolkit.converters.onnx_torch import OnnxModule

    model, names = _model(case)
    for output in model.graph.output:
        output.ClearField("type")
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feed = dict(zip(names, case.inputs, strict=True))
    wanted = dict(zip([output.name for output in session.get_outputs()], session.run(None, feed), strict=True))
    with torch.no_grad():
        found = OnnxModule(model, _signature(feed, wanted))(*map(torch.from_numpy, case.inputs))
    for other, (name, array) in zip(found, wanted.items(), strict=True):
        assert other.numpy().dtype == array.dtype, name
        np.testing.assert_allclose(other.numpy(), array, rtol=1e-4, atol=1e-5, err_msg=name)


def _parsed(text: str) -> Any:
    import onnx

    return onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 18, "other.domain" : 1]>\n{text}')


def _run(text: str, **inputs: np.ndarray) -> list[np.ndarray]:
    import torch

    from toolkit.converters.onnx_torch import OnnxModule

    model = _parsed(text)
    outputs = tuple(TensorSpec(output.name, "float32", (1,)) for output in model.graph.output)
    module = OnnxModule(model, Signature(_signature(inputs, {}).inputs, outputs))
    return [each.numpy() for each in module(*map(torch.from_numpy, inputs.values()))]


def test_a_branch_whose_condition_follows_from_the_sizes_is_folded() -> None:
    (found,) = _run(
        """one (float[n,6] x) => (float[n,6] y) {
            shape = Shape(x)
            two = Constant<value = int64[2] {2, 6}>()
            same = Equal(shape, two)
            every = Constant<value = int64[1] {0}>()
            number = Cast<to = 7>(same)
            least = ReduceMin<keepdims = 0>(number, every)
            condition = Cast<to = 9>(least)
            y = If(condition) <then_branch = a () => (float[n,6] then) { then = Neg(x) },
                    else_branch = b () => (float[n,6] other) { other = Exp(x) }>
        }""",
        x=ROWS,
    )
    np.testing.assert_array_equal(found, -ROWS)


def test_a_branch_that_depends_on_values_names_its_node() -> None:
    with pytest.raises(ConversionError, match=r"If \('y'\) has no equivalent in torch: its condition depends on the values of the inputs"):
        _run(
            """one (float[n,6] x, bool c) => (float[n,6] y) {
                y = If(c) <then_branch = a () => (float[n,6] then) { then = Neg(x) },
                    else_branch = b () => (float[n,6] other) { other = Exp(x) }>
            }""",
            x=ROWS,
            c=np.array(True),
        )


def test_a_loop_of_a_known_number_of_rounds_is_unrolled() -> None:
    last, every = _run(
        """one (float[2,6] x) => (float[2,6] last, float[3,2,6] every) {
            count = Constant<value = int64 {3}>()
            going = Constant<value_int = 1>()
            always = Cast<to = 9>(going)
            last, every = Loop(count, always, x) <body = step (int64 i, bool c, float[2,6] state) =>
                (bool c2, float[2,6] next, float[2,6] row) {
                c2 = Identity(c)
                next = Add(state, x)
                row = Neg(next)
            }>
        }""",
        x=ROWS,
    )
    np.testing.assert_allclose(last, 4 * ROWS, rtol=1e-6)
    np.testing.assert_allclose(every, np.stack([-2 * ROWS, -3 * ROWS, -4 * ROWS]), rtol=1e-6)


def test_an_operator_of_another_domain_is_named() -> None:
    with pytest.raises(ConversionError, match=r"other\.domain\.Mystery \('y'\) has no equivalent in torch here"):
        _run("one (float[2,6] x) => (float[2,6] y) { y = other.domain.Mystery(x) }", x=ROWS)
