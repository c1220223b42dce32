"""Precisions of a TF Lite file as other tools wrote them some years ago."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.converters.nets import digits
from toolkit.converters.base import Converter, Node, Recipe
from toolkit.converters.edges.openvino_from_tflite import OpenvinoFromTfliteInt8
from toolkit.converters.edges.tflite_fp16 import TfliteFp16
from toolkit.converters.edges.tflite_int4_weights import TfliteInt4Weights
from toolkit.converters.edges.tflite_int8 import TfliteInt8
from toolkit.converters.edges.tflite_int8_dynamic import TfliteInt8Dynamic
from toolkit.converters.edges.tflite_int8_weights import TfliteInt8Weights
from toolkit.converters.tflite import quantize
from toolkit.converters.tflite_prepared import prepare
from toolkit.converters.tflite_static import stays_float
from toolkit.core import Artifact, Format, Precision, Samples
from toolkit.formats.tflite import layer_name, read_graph
from toolkit.pipeline.source.resolve import resolve_source
from toolkit.runtimes import open_session


def aged(file: Path, target: Path) -> Path:
    """The first graph of `file` without a signature, with weights in float16 behind DEQUANTIZE, the kinds of operators in their older
    field, one name for two tensors, and a second output by another product with the last weights.
    """
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_quantizer.utils import tfl_flatbuffer_utils

    model = tfl_flatbuffer_utils.read_model(str(file))
    model.signatureDefs, model.subgraphs = None, model.subgraphs[:1]
    (graph,) = model.subgraphs
    last = graph.operators[-1]
    tensor = graph.tensors[last.outputs[0]]
    graph.tensors.append(schema.TensorT(shape=tensor.shape, type=tensor.type, name=b"again"))
    graph.operators.append(
        schema.OperatorT(
            opcodeIndex=last.opcodeIndex,
            inputs=last.inputs,
            outputs=[len(graph.tensors) - 1],
            builtinOptionsType=last.builtinOptionsType,
            builtinOptions=last.builtinOptions,
        )
    )
    graph.outputs = [*graph.outputs, len(graph.tensors) - 1]
    model.operatorCodes.append(schema.OperatorCodeT(builtinCode=schema.BuiltinOperator.DEQUANTIZE, version=2))
    for number, tensor in enumerate(list(graph.tensors)):
        data = model.buffers[tensor.buffer].data
        if data is None or tensor.type != schema.TensorType.FLOAT32:
            continue
        halves = np.frombuffer(bytes(data), np.float32).astype(np.float16)
        model.buffers.append(schema.BufferT(data=halves.view(np.uint8)))
        half = schema.TensorT(shape=tensor.shape, type=schema.TensorType.FLOAT16, buffer=len(model.buffers) - 1, name=b"half%d" % number)
        graph.tensors.append(half)
        tensor.buffer = 0
        widening = schema.OperatorT(opcodeIndex=len(model.operatorCodes) - 1, inputs=[len(graph.tensors) - 1], outputs=[number])
        graph.operators.insert(0, widening)
    for code in model.operatorCodes:
        code.deprecatedBuiltinCode, code.builtinCode = code.builtinCode, 0
    graph.tensors[graph.operators[-2].inputs[0]].name = b"again"
    tfl_flatbuffer_utils.write_model(model, str(target))
    return target


@pytest.fixture(scope="module")
def old(made: dict[Node, Artifact], tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """What the toolkit makes of such a file of the net that knows digits."""
    folder = tmp_path_factory.mktemp("old")
    file = aged(made[Node(Format.TFLITE, Precision.FP32)].model_file, folder / "old.tflite")
    return resolve_source(str(file), out=folder / "out").place()


def images_for(artifact: Artifact) -> dict[str, np.ndarray]:
    """Forty digits as its input wants them."""
    (spec,) = artifact.manifest.signature.inputs
    return {spec.name: digits()[0].inputs["image"][:40].reshape(-1, *spec.shape[1:])}


@pytest.mark.parametrize("converter", [TfliteFp16(), TfliteInt8(), TfliteInt8Dynamic(), TfliteInt8Weights(), TfliteInt4Weights()])
def test_an_old_file_is_quantized(converter: Converter, old: Artifact, tmp_path: Path) -> None:
    images = images_for(old)
    converted = converter.convert(old, tmp_path / "made", Recipe(calibration=Samples(images, None)))
    operators = converted.manifest.operators
    assert operators is not None
    assert operators.quantized > 0 or converter.target.precision is Precision.FP16
    assert_alike(converted, old, images)


def assert_alike(candidate: Artifact, reference: Artifact, images: dict[str, np.ndarray]) -> None:
    """Both outputs for the first image, up to a seventh of the largest value."""
    with open_session(reference.path) as exact, open_session(candidate.path) as session:
        expected, found = (each.run({name: array[:1] for name, array in images.items()}) for each in (exact, session))
    for name in ("again", expected.names[0]):
        np.testing.assert_allclose(found[name], expected[name], atol=0.15 * np.abs(expected[name]).max())


def test_openvino_reads_what_the_quantizer_has_written(old: Artifact, tmp_path: Path) -> None:
    images = images_for(old)
    integers = TfliteInt8().convert(old, tmp_path / "integers", Recipe(calibration=Samples(images, None), effort=0))
    made = OpenvinoFromTfliteInt8().convert(integers, tmp_path / "openvino", Recipe())
    assert_alike(made, integers, images)


def written(file: Path, *kinds: str, outputs: Sequence[int]) -> Artifact:
    """A file of operators in a row, whose batch is free: each takes the tensor before it, DIV that and the input ``[batch, 4]``."""
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_quantizer.utils import tfl_flatbuffer_utils

    tensors = [
        schema.TensorT(shape=[1, 4], shapeSignature=[-1, 4], buffer=0, name=b"tensor%d" % number, type=schema.TensorType.FLOAT32)
        for number in range(len(kinds) + 1)
    ]
    operators = [
        schema.OperatorT(opcodeIndex=number, inputs=[number, 0] if kind == "DIV" else [number], outputs=[number + 1])
        for number, kind in enumerate(kinds)
    ]
    graph = schema.SubGraphT(tensors=tensors, inputs=[0], outputs=list(outputs), operators=operators)
    numbers = [getattr(schema.BuiltinOperator, kind) for kind in kinds]
    codes = [schema.OperatorCodeT(builtinCode=number, deprecatedBuiltinCode=number, version=1) for number in numbers]
    model = schema.ModelT(version=3, operatorCodes=codes, subgraphs=[graph], buffers=[schema.BufferT()])
    tfl_flatbuffer_utils.write_model(model, str(file))
    return resolve_source(str(file), out=file.parent / "out").place()


@pytest.mark.parametrize(("kinds", "outputs"), [(("LOGISTIC", "TANH"), (1, 2)), (("LOGISTIC", "DIV"), (2,))])
def test_int8_keeps_a_free_batch_and_divides_by_what_rounds_to_zero(
    kinds: tuple[str, ...], outputs: tuple[int, ...], tmp_path: Path
) -> None:
    source = written(tmp_path / "net.tflite", *kinds, outputs=outputs)
    rows = np.random.default_rng(0).uniform(0.2, 100, (64, 4)).astype(np.float32)
    samples = Samples({"tensor0": rows}, None)
    made = TfliteInt8().convert(source, tmp_path / "made", Recipe(calibration=samples))
    with open_session(source.path) as exact, open_session(made.path) as session:
        for batch in (1, 3, 2):
            inputs = {"tensor0": rows[:batch] / 10}
            found, expected = session.run(inputs), exact.run(inputs)
            for name in expected.names:
                np.testing.assert_allclose(found[name], expected[name], atol=0.1 * np.abs(expected[name]).max())


def test_a_reader_of_shared_weights_stays_float_alone(old: Artifact, tmp_path: Path) -> None:
    from ai_edge_quantizer import recipe

    signature = old.manifest.signature
    file = prepare(old.model_file, signature, tmp_path / "prepared.tflite")
    second = layer_name(before := read_graph(file), before.nodes[-1])
    rules = [*recipe.weight_only_wi8_afp32(), stays_float(second)]
    quantize(file, tmp_path / "model.tflite", rules, signature=signature)
    graph = read_graph(tmp_path / "model.tflite")
    weights = [graph.tensors[node.inputs[1]] for node in graph.nodes if node.type == "FULLY_CONNECTED"]
    assert [weight.is_constant for weight in weights][-2:] == [False, True], "the other's come out of integers by a DEQUANTIZE"
    assert prepare(tmp_path / "model.tflite", signature, tmp_path / "again.tflite") != tmp_path / "again.tflite"
