"""The parts that only a file with one fixed batch a signature needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.runtimes.contract import random_inputs
from toolkit.core import Artifact, ArtifactError, EngineError, Format, InputError
from toolkit.formats.tflite import check_tflite
from toolkit.runtimes import SessionOptions, find_runtime, open_session
from toolkit.runtimes._parts import batch_plan


@pytest.mark.parametrize(
    ("batch", "plan"),
    [(1, (1,)), (2, (1, 1)), (3, (4,)), (4, (4,)), (7, (4, 4)), (16, (4, 4, 4, 4)), (17, (32,)), (33, (32, 1)), (67, (32, 32, 4))],
)
def test_plan(batch: int, plan: tuple[int, ...]) -> None:
    assert batch_plan(batch, (1, 4, 32)) == plan


@given(st.integers(1, 500), st.sets(st.integers(1, 64), min_size=1, max_size=5))
def test_plan_covers_the_batch_and_pads_only_the_last_call(batch: int, sizes: set[int]) -> None:
    plan = batch_plan(batch, tuple(sorted(sizes)))
    assert set(plan) <= sizes
    assert sum(plan[:-1]) < batch <= sum(plan)


@pytest.mark.parametrize("net", ["cnn", "two", "tokens"])
def test_a_file_cut_anywhere_is_seen_before_an_interpreter_reads_it(
    net: str, bundles: dict[str, dict[Format, Artifact]], tmp_path: Path
) -> None:
    content = bundles[net][Format.TFLITE].model_file.read_bytes()
    file = tmp_path / "model.tflite"
    file.write_bytes(content)
    check_tflite(file)
    for size in range(8, len(content) - 32, len(content) // 60):
        file.write_bytes(content[:size])
        with pytest.raises(ArtifactError, match="not whole"):
            check_tflite(file)


def test_tokens_that_int32_cannot_hold_are_refused(bundles: dict[str, dict[Format, Artifact]]) -> None:
    artifact = bundles["tokens"][Format.TFLITE]
    with open_session(artifact, engine="litert") as session:
        ids = random_inputs(artifact.manifest.signature, 1)["ids"]
        session.run(ids)
        with pytest.raises(InputError, match="int32"):
            session.run(ids + 2**40)


@pytest.mark.tensorflow
def test_a_file_with_one_static_batch_keeps_it(bundles: dict[str, dict[Format, Artifact]], tmp_path: Path) -> None:
    """Keras' converter writes such files: channels last, one signature, names of its own."""
    tensorflow = pytest.importorskip("tensorflow", reason="the extra [tensorflow] is not installed")
    file = tmp_path / "model.tflite"
    weights = np.random.default_rng(0).standard_normal((3, 2)).astype("float32")

    @tensorflow.function(input_signature=[tensorflow.TensorSpec([1, 4, 4, 3], tensorflow.float32, name="pixels")])  # type: ignore[untyped-decorator]
    def scores(pixels: object) -> object:
        return tensorflow.matmul(tensorflow.reduce_mean(pixels, [1, 2]), weights)

    converter = tensorflow.lite.TFLiteConverter.from_concrete_functions([scores.get_concrete_function()])
    file.write_bytes(converter.convert())
    with find_runtime("litert").open(file, SessionOptions(threads=1)) as session:
        (spec,) = session.signature.inputs
        assert spec.shape == (1, 4, 4, 3)
        x = np.random.default_rng(1).standard_normal(spec.shape).astype("float32")
        np.testing.assert_allclose(session.run(x)[0], x.mean((1, 2)) @ weights, atol=1e-5)


@pytest.mark.parametrize("signatures", [True, False])
def test_a_file_of_free_sizes_opens_though_its_own_are_too_small(tmp_path: Path, signatures: bool) -> None:
    """Free sizes are 1 in the file, and a window over time does not fit into 1; two inputs may have other sizes."""
    file = slice_and_mean(tmp_path / "model.tflite", signatures=signatures)
    with find_runtime("litert").open(file, SessionOptions(threads=1)) as session:
        assert [spec.shape for spec in session.signature.inputs] == [("batch", "dim_1"), ("b_batch", "b_1")]
        for rows, length in ((2, 9), (1, 16)):
            a, b = np.random.default_rng(1).standard_normal((2, rows, length)).astype("float32")
            found = session.run([a, b[:1, :5]])
            np.testing.assert_array_equal(found["part"], a[:, :4])
            np.testing.assert_allclose(found["mean"], b[:1, :5].mean(1), atol=1e-6)


@pytest.mark.tensorflow
def test_a_manifest_in_channels_first_runs_a_file_in_channels_last(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow", reason="the extra [tensorflow] is not installed")
    artifact = _channels_last(tmp_path)
    x = np.random.default_rng(1).standard_normal((3, 3, 4, 5)).astype("float32")
    with open_session(artifact, engine="litert") as session:
        np.testing.assert_allclose(session.run(x)["scaled"], x * np.float32(2), atol=1e-6)


def test_a_manifest_that_is_not_the_files_is_refused(bundles: dict[str, dict[Format, Artifact]], tmp_path: Path) -> None:
    cnn, two = bundles["cnn"][Format.TFLITE], bundles["two"][Format.TFLITE]
    wrong = Artifact(cnn.path, two.manifest)
    with pytest.raises(EngineError, match="does not fit its signature"):
        open_session(wrong, engine="litert")


def _channels_last(folder: Path) -> Artifact:
    import tensorflow as tf

    from tests.runtimes.nets import Net, make_artifact
    from toolkit.core import Signature, TensorSpec

    def write(target: Path) -> None:
        @tf.function(input_signature=[tf.TensorSpec([1, 4, 5, 3], tf.float32)])  # type: ignore[untyped-decorator]
        def double(pixels: object) -> object:
            return tf.multiply(pixels, 2.0)

        converter = tf.lite.TFLiteConverter.from_concrete_functions([double.get_concrete_function()])
        target.write_bytes(converter.convert())

    signature = Signature(
        (TensorSpec("image", "float32", ("batch", 3, 4, 5), "NCHW"),), (TensorSpec("scaled", "float32", ("batch", 3, 4, 5), "NCHW"),)
    )
    return make_artifact(Net("double", lambda: None, signature), folder / "double", Format.TFLITE, write)


def slice_and_mean(file: Path, *, signatures: bool) -> Path:
    """A file of two inputs of free sizes, ``a -> a[:, :4]`` and ``b -> b.mean(1)``; without signatures as of before 2021."""
    flatbuffers = pytest.importorskip("flatbuffers")
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated", reason="the extra [tflite] is not installed")
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.buffers, graph.tensors, model.operatorCodes, graph.operators = [schema.BufferT()], [], [], []

    def add(name: str, shape: list[int], free: list[int] | None = None, values: list[int] | None = None) -> int:
        made = schema.TensorT()
        made.name, made.shape, made.shapeSignature = name, shape, free
        made.type = schema.TensorType.FLOAT32 if values is None else schema.TensorType.INT32
        if values is not None:
            made.buffer = len(model.buffers)
            model.buffers.append(schema.BufferT())
            model.buffers[-1].data = np.frombuffer(np.array(values, np.int32).tobytes(), np.uint8)
        graph.tensors.append(made)
        return len(graph.tensors) - 1

    def node(kind: int, inputs: list[int], output: int, options: tuple[int, Any]) -> None:
        code, made = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode = code.deprecatedBuiltinCode = kind
        made.opcodeIndex, made.inputs, made.outputs = len(model.operatorCodes), inputs, [output]
        made.builtinOptionsType, made.builtinOptions = options
        model.operatorCodes.append(code)
        graph.operators.append(made)

    a, b = (add(name, [1, 1], [-1, -1]) for name in ("a", "b"))
    part, mean = add("part", [1, 4], [-1, 4]), add("mean", [1], [-1])
    begin, size, axis = add("begin", [2], values=[0, 0]), add("size", [2], values=[-1, 4]), add("axis", [1], values=[1])
    node(schema.BuiltinOperator.SLICE, [a, begin, size], part, (schema.BuiltinOptions.SliceOptions, schema.SliceOptionsT()))
    node(schema.BuiltinOperator.MEAN, [b, axis], mean, (schema.BuiltinOptions.ReducerOptions, schema.ReducerOptionsT()))
    graph.inputs, graph.outputs, model.version, model.subgraphs = [a, b], [part, mean], 3, [graph]
    if signatures:
        entry = schema.SignatureDefT()
        entry.signatureKey, entry.subgraphIndex = "serving_default", 0
        entry.inputs, entry.outputs = [], []
        for maps, tensors in ((entry.inputs, [a, b]), (entry.outputs, [part, mean])):
            for tensor in tensors:
                maps.append(schema.TensorMapT())
                maps[-1].name, maps[-1].tensorIndex = graph.tensors[tensor].name, tensor
        model.signatureDefs = [entry]
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"TFL3")
    file.write_bytes(bytes(builder.Output()))
    return file


def product_of_int8(file: Path, *, zero_point: int, new: bool) -> Path:
    """A file of one operator: two int8 tensors ``[1, 3, 4]`` and ``[1, 4, 5]`` -> their product, all with scales of 1/8."""
    flatbuffers = pytest.importorskip("flatbuffers")
    schema = pytest.importorskip("tensorflow.lite.python.schema_py_generated", reason="the extra [tensorflow] is not installed")

    def tensor(name: str, shape: list[int], zero_point: int) -> Any:
        made = schema.TensorT()
        made.name, made.shape, made.type = name, shape, schema.TensorType.INT8
        made.quantization = schema.QuantizationParametersT()
        made.quantization.scale, made.quantization.zeroPoint = [0.125], [zero_point]
        return made

    model, graph, operator, code = schema.ModelT(), schema.SubGraphT(), schema.OperatorT(), schema.OperatorCodeT()
    graph.tensors = [tensor("a", [1, 3, 4], 3), tensor("b", [1, 4, 5], zero_point), tensor("product", [1, 3, 5], -2)]
    graph.inputs, graph.outputs, graph.operators = [0, 1], [2], [operator]
    operator.inputs, operator.outputs = [0, 1], [2]
    operator.builtinOptionsType, operator.builtinOptions = schema.BuiltinOptions.BatchMatMulOptions, schema.BatchMatMulOptionsT()
    code.deprecatedBuiltinCode = schema.BuiltinOperator.BATCH_MATMUL
    code.builtinCode = code.deprecatedBuiltinCode if new else 0
    code.version = 2
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [schema.BufferT()]
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"TFL3")
    file.write_bytes(bytes(builder.Output()))
    return file


@pytest.mark.tensorflow
@pytest.mark.parametrize("engine", ["litert", "tensorflow"])
@pytest.mark.parametrize(("zero_point", "new"), [(0, True), (9, True), (9, False)])
def test_a_product_of_int8_tensors_keeps_both_zero_points(engine: str, zero_point: int, new: bool, tmp_path: Path) -> None:
    file = product_of_int8(tmp_path / "model.tflite", zero_point=zero_point, new=new)
    random = np.random.default_rng(0)
    a, b = (random.integers(-20, 20, shape).astype("int8") for shape in ((1, 3, 4), (1, 4, 5)))
    exact = np.matmul(a.astype(int) - 3, b.astype(int) - zero_point) / 8 - 2
    with find_runtime(engine).open(file, SessionOptions(threads=1)) as session:
        np.testing.assert_allclose(session.run({"a": a, "b": b})[0], np.clip(exact, -128, 127), atol=1)
        assert ("without XNNPACK" in session.actual.detail) == (engine == "tensorflow" and zero_point != 0)
