"""What a microcontroller computes: the arena, the first graph alone, refusals, and its integers against LiteRT's."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Trained
from tests.micro import digits, integer_io, litert, micro, outputs_of_litert, outputs_of_micro, products, rounded_once, rounded_twice
from toolkit.converters.base import Recipe
from toolkit.converters.edges.tflite_int8 import TfliteInt8
from toolkit.converters.edges.tflite_int16x8 import TfliteInt16x8
from toolkit.converters.task import convert_isolated
from toolkit.core import Artifact, EngineError, Format, Precision, ProcessError, Samples, run_isolated
from toolkit.formats.tflite import read_graph
from toolkit.runtimes import find_runtime, open_session

pytest.importorskip("tflite_micro", reason="the extra [tflite-micro] is not installed")

from toolkit.runtimes.tflite_micro import MicroModel, MicroSession

COUNT = 1000


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return digits(COUNT)


@pytest.fixture(scope="module")
def made(trained_cnn: Trained, images: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    """The CNN trained on digits: float, int8 with floats and with integers at its borders, int16x8."""
    folder = tmp_path_factory.mktemp("micro")
    source = Artifact.load(trained_cnn.bundle / "tflite-fp32")
    (name,) = (spec.name for spec in source.manifest.signature.inputs)
    recipe = Recipe(calibration=Samples({name: images[:200]}, None, "digits"))
    integers = replace(recipe, choices=integer_io().choices, variant="integer-io")
    return {
        "fp32": source,
        "int8": convert_isolated(TfliteInt8(), source, folder / "tflite-int8", recipe),
        "int8-integer-io": convert_isolated(TfliteInt8(), source, folder / "tflite-int8-integer-io", integers),
        "int16x8": convert_isolated(TfliteInt16x8(), source, folder / "tflite-int16x8", recipe),
    }


@pytest.mark.parametrize("name", ["fp32", "int8", "int8-integer-io", "int16x8"])
def test_the_arena_is_the_smallest_that_works(name: str, made: dict[str, Artifact], tmp_path: Path) -> None:
    """Tried in processes of their own: an arena a little too small ends the process."""
    model = MicroModel.read(made[name].model_file)
    assert model.arena_bytes >= model.used_bytes
    for arena, works in ((model.arena_bytes, True), (model.arena_bytes - 16, False)):
        found = tmp_path / str(arena)
        with contextlib.suppress(ProcessError):
            run_isolated("toolkit.runtimes.tflite_micro:arena_task", {"file": str(model.file), "start": arena, "found": str(found)})
        assert bool(found.read_text()) is works
    with open_session(made[name], engine="tflite-micro") as session:
        assert f"{model.used_bytes} bytes of arena used" in session.actual.detail
        assert session.actual.threads == 1


def test_the_other_batches_graphs_are_left_out(made: dict[str, Artifact]) -> None:
    from tflite_micro.python.tflite_micro import runtime

    file = made["int8"].model_file
    model = MicroModel.read(file)
    whole, alone = file.read_bytes(), model.graph.content
    assert len(alone) < len(whole)
    assert micro(alone).get_output_details(0)["shape"].tolist() == [1, 10]
    # Every constant stands where any processor can read it.
    parsed = read_graph_of(alone)
    starts = [buffer.DataAsNumpy().ctypes.data - np.frombuffer(alone, np.uint8).ctypes.data for buffer in parsed if buffer.DataLength()]
    assert starts
    assert {start % 16 for start in starts} == {0}
    with pytest.raises(RuntimeError):
        runtime.Interpreter.from_bytes(whole, arena_size=4 * model.arena_bytes)


def read_graph_of(content: bytes) -> list[Any]:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(content, 0)
    return [model.Buffers(index) for index in range(model.BuffersLength())]


@pytest.mark.parametrize("name", ["fp32", "int8", "int8-integer-io", "int16x8"])
def test_sessions_take_any_batch_and_agree_with_litert(name: str, made: dict[str, Artifact], images: np.ndarray) -> None:
    with open_session(made[name], engine="tflite-micro") as session, open_session(made[name], engine="litert") as other:
        for batch in (1, 3, 7):
            got, want = session.run(images[:batch])[0], other.run(images[:batch])[0]
            np.testing.assert_allclose(got, want, atol=1e-4 if name == "fp32" else 0.5, rtol=1e-3)


@pytest.mark.parametrize("border", ["int8", "int8-integer-io"])
def test_int8_is_litert_s_up_to_one_step(border: str, made: dict[str, Artifact], images: np.ndarray) -> None:
    """1,000 real images: every integer of the outputs, against LiteRT's reference kernels and against XNNPACK's."""
    step, zero = _grid(made["int8-integer-io"])
    file = made[border].model_file

    def integers(outputs: np.ndarray) -> np.ndarray:
        levels = outputs / np.float32(step) + zero if outputs.dtype == np.float32 else outputs.astype(np.float32)
        np.testing.assert_allclose(levels, np.rint(levels), atol=1e-3)
        return np.rint(levels)

    ours = integers(outputs_of_micro(micro(MicroModel.read(file).graph.content), images))
    for resolver in ("BUILTIN_REF", "BUILTIN_WITHOUT_DEFAULT_DELEGATES", "AUTO"):
        difference = np.abs(ours - integers(outputs_of_litert(litert(file, resolver), images)))
        assert difference.max() <= 1, resolver
        assert np.mean(difference > 0) < 0.05, resolver


def _grid(artifact: Artifact) -> tuple[float, int]:
    with find_runtime("tflite-micro").open(artifact) as session:
        assert isinstance(session, MicroSession)
        affine = session.outputs[0].affine
    assert affine is not None
    return affine.scale, affine.zero_point


@pytest.mark.parametrize("border", ["int8", "int8-integer-io"])
def test_only_how_a_fully_connected_layer_rounds_differs(border: str, made: dict[str, Artifact], images: np.ndarray) -> None:
    """The exact sums of each layer, rounded as each engine does, are its integers bit for bit; convolutions do not differ at all."""
    file = made[border].model_file
    ours = micro(MicroModel.read(file).graph.content)
    reference, optimized = litert(file, "BUILTIN_REF"), litert(file, "BUILTIN_WITHOUT_DEFAULT_DELEGATES")
    before = [node.outputs[0] for node in _until(file, "FULLY_CONNECTED")]
    assert any("CONV" in node.type for node in _until(file, "FULLY_CONNECTED"))
    ways: dict[str, tuple[Callable[[int], np.ndarray], Callable[[np.ndarray, np.ndarray], np.ndarray]]] = {
        "micro": (lambda tensor: np.asarray(ours.GetTensor(tensor, 0)["tensor_data"]), lambda s, f: rounded_twice(s, f, away=True)),
        "reference": (reference.get_tensor, rounded_once),
        "optimized": (optimized.get_tensor, lambda s, f: rounded_twice(s, f, away=False)),
    }
    other = dict.fromkeys(ways, 0)
    for image in images:
        outputs_of_micro(ours, image[None])
        outputs_of_litert(reference, image[None])
        outputs_of_litert(optimized, image[None])
        for tensor in before:
            np.testing.assert_array_equal(ways["micro"][0](tensor), reference.get_tensor(tensor))
        for name, (tensors, rounding) in ways.items():
            for sums, factors, got, zero in products(file, reference, tensors):
                np.testing.assert_array_equal(np.clip(rounding(sums, factors) + zero, -128, 127), got, err_msg=name)
                another = rounded_once if name != "reference" else lambda s, f: rounded_twice(s, f, away=True)
                other[name] += int((np.clip(another(sums, factors) + zero, -128, 127) != got).sum())
    assert min(other.values()) > 0, "with so few images the ways to round cannot be told apart"


def _until(file: Path, kind: str) -> list[Any]:
    nodes = list(read_graph(file).nodes)
    return nodes[: next(index for index, node in enumerate(nodes) if node.type == kind)]


@pytest.mark.tensorflow
def test_an_operator_that_it_lacks_is_named(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow", reason="the extra [tensorflow] is not installed")
    file = tmp_path / "model.tflite"

    @tf.function(input_signature=[tf.TensorSpec([1, 4], tf.float32)])  # type: ignore[untyped-decorator]
    def smooth(x: object) -> object:
        return tf.nn.gelu(tf.abs(x), approximate=True)

    file.write_bytes(tf.lite.TFLiteConverter.from_concrete_functions([smooth.get_concrete_function()]).convert())
    with pytest.raises(EngineError, match="got GELU, 1 of its 2 operators") as caught:
        open_session(file, engine="tflite-micro")
    assert "\n" not in str(caught.value)


def test_an_operator_that_it_refuses_is_named(made: dict[str, Artifact], tmp_path: Path) -> None:
    from toolkit.converters.edges.tflite_int8_dynamic import TfliteInt8Dynamic

    dynamic = convert_isolated(TfliteInt8Dynamic(), made["fp32"], tmp_path / "dynamic", Recipe())
    with pytest.raises(EngineError, match="has no int8-dynamic for tflite"):
        open_session(dynamic, engine="tflite-micro")
    # A bare file does not say what it is.
    with pytest.raises(EngineError, match=r"CONV_2D, number \d+ of its \d+ operators: .*ybrid"):
        open_session(dynamic.model_file, engine="tflite-micro")


def test_it_has_the_precisions_that_run() -> None:
    runtime = find_runtime("tflite-micro")
    assert runtime.precisions(Format.TFLITE) == {Precision.FP32, Precision.INT8, Precision.INT8_WEIGHTS, Precision.INT16X8}
