"""What Keras' own applications have and small networks have not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.converters.engines import compute
from tests.converters.test_tflite_prepared import written
from toolkit.converters.base import Recipe
from toolkit.converters.edges.onnx_from_keras import OnnxFromKeras
from toolkit.converters.edges.onnx_from_tflite import OnnxFromTflite
from toolkit.converters.edges.tflite_from_keras import TfliteFromKeras
from toolkit.converters.tensorflow import write_tflite
from toolkit.converters.tflite import variants_of
from toolkit.core import (
    MANIFEST,
    Artifact,
    EngineError,
    Format,
    InputError,
    Manifest,
    Precision,
    Signature,
    TensorSpec,
    new_folder,
    sha256_of,
)
from toolkit.pipeline.source.resolve import resolve_source
from toolkit.runtimes import open_session

_NETWORK = """
import sys
import keras
keras.utils.set_random_seed(0)
layers = keras.layers
image = keras.Input((6, 6, 3), name="image")
hidden = layers.Normalization(mean=[0.1, 0.2, 0.3], variance=[0.5, 0.6, 0.7])(image)
hidden = layers.Conv2D(4, 3, activation="swish")(hidden)
hidden = layers.Flatten()(layers.Conv2D(6, 3, groups=2, padding="same", activation="gelu")(hidden))
keras.Model(image, layers.Dense(5, name="scores")(hidden)).save(sys.argv[1])
"""


@pytest.fixture(scope="module")
def normalized(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """A network that begins with a normalization, whose mean is no weight, and has a swish, whose gradient is its own, and a convolution
    in groups, which Keras compiles, and a GELU, which TensorFlow makes of a function that ONNX has not.
    """
    folder = tmp_path_factory.mktemp("keras") / "keras-fp32"
    signature = Signature((TensorSpec("image", "float32", ("batch", 6, 6, 3)),), (TensorSpec("scores", "float32", ("batch", 5)),))
    with new_folder(folder) as work:
        file = work / "model.keras"
        subprocess.run([sys.executable, "-W", "ignore", "-c", _NETWORK, str(file)], check=True, capture_output=True)
        files = {file.name: sha256_of(file)}
        (work / MANIFEST).write_bytes(Manifest("net", Format.KERAS, Precision.FP32, signature, files, "import").to_json())
    return Artifact.load(folder)


@pytest.mark.tensorflow
@pytest.mark.parametrize("converter", [OnnxFromKeras(), TfliteFromKeras()], ids=lambda converter: converter.name)
def test_what_keras_own_networks_have(converter: OnnxFromKeras | TfliteFromKeras, normalized: Artifact, tmp_path: Path) -> None:
    made = converter.convert(normalized, tmp_path / "out", Recipe())
    arrays = {"image": np.random.default_rng(0).standard_normal((33, 6, 6, 3)).astype(np.float32)}
    with open_session(normalized) as session:
        expected = session.run(arrays)["scores"]
    np.testing.assert_allclose(compute(made, arrays)["scores"], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.tensorflow
def test_several_sizes_are_signatures_of_one_file(tmp_path: Path) -> None:
    import tensorflow as tf

    state = TensorSpec("state", "float32", (2, "batch"))
    signature = Signature(
        (TensorSpec("x", "float32", ("batch", "w", 2)), state),
        (TensorSpec("y", "float32", ("batch", "w")), TensorSpec("next", "float32", (2, "batch"))),
        fixes=({"w": 3}, {"w": 5}),
    )
    variants = variants_of(signature, [1, 4])
    assert [each.name for each in variants] == ["b1_w3", "b4_w3", "b1_w5", "b4_w5"]
    weights = tf.constant([2.0, -1.0])

    def function(arrays: Mapping[str, Any]) -> list[Any]:
        return [tf.reduce_sum(arrays["x"] * weights, axis=2), arrays["state"] + 1.0]

    folder = tmp_path / "tflite-fp32"
    with new_folder(folder) as work:
        own = write_tflite(lambda _: function, signature, variants, work / "model.tflite")
        assert own is not None
        files = {"model.tflite": sha256_of(work / "model.tflite")}
        (work / MANIFEST).write_bytes(Manifest("net", Format.TFLITE, Precision.FP32, own, files, edge="").to_json())
    assert own.sizes == ({"w": 3}, {"w": 5})
    random = np.random.default_rng(0)
    with open_session(folder) as session:
        for width, batch in ((3, 1), (5, 1), (5, 4), (3, 7), (5, 2)):
            x, before = random.standard_normal((batch, width, 2)), random.standard_normal((2, batch))
            y, after = session.run([x.astype(np.float32), before.astype(np.float32)])
            np.testing.assert_allclose(y, x @ [2.0, -1.0], rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(after, before + 1, rtol=1e-5)
        with pytest.raises(EngineError, match="no signature for these sizes"):
            session.run([np.zeros((1, 4, 2), np.float32), np.zeros((2, 1), np.float32)])


def test_sizes_that_nobody_says_are_refused_with_the_call() -> None:
    free = Signature((TensorSpec("x", "float32", ("batch", "h", "w")),), ())
    with pytest.raises(InputError, match=r"TF Lite needs fixed sizes: .* also free: h, w; say them, such as --fix h=32,w=32"):
        variants_of(free, [1])


@pytest.mark.tensorflow
def test_the_real_part_of_a_spectrum_goes_from_tflite_to_onnx(tmp_path: Path) -> None:
    """As BirdNET's spectrogram takes it: tf2onnx has a rule for magnitudes alone, and OpenVINO's reader none."""
    import tensorflow as tf

    function = tf.function(
        lambda wave: tf.cast(tf.signal.stft(wave, 16, 8), tf.float32) ** 2.0, input_signature=[tf.TensorSpec((1, 40), tf.float32)]
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()])
    (file := tmp_path / "wave.tflite").write_bytes(converter.convert())
    source = resolve_source(str(file), out=tmp_path / "out").place()
    made = OnnxFromTflite().convert(source, tmp_path / "onnx", Recipe())
    (spec,) = source.manifest.signature.inputs
    wave = {spec.name: np.random.default_rng(0).standard_normal((1, 40)).astype(np.float32)}
    expected = np.fft.rfft(
        np.stack([wave[spec.name][0, k : k + 16] * (0.5 - 0.5 * np.cos(np.arange(16) / 8 * np.pi)) for k in (0, 8, 16, 24)])
    )
    (found,) = compute(made, wave).values()
    np.testing.assert_allclose(found[0], expected.real**2, rtol=1e-4, atol=1e-4)


@pytest.mark.tensorflow
def test_outputs_in_another_order_than_the_graphs_keep_their_names_in_onnx(tmp_path: Path) -> None:
    """As in basic-pitch's file: its signature sorts the outputs by name, its graph does not."""
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_quantizer.utils import tfl_flatbuffer_utils

    plain = written(tmp_path / "plain.tflite", "LOGISTIC", "TANH", outputs=(1, 2)).model_file
    model = tfl_flatbuffer_utils.read_model(str(plain))
    outputs = [schema.TensorMapT(name=name, tensorIndex=number) for name, number in ((b"a", 2), (b"b", 1))]
    inputs = [schema.TensorMapT(name=b"x", tensorIndex=0)]
    model.signatureDefs = [schema.SignatureDefT(inputs=inputs, outputs=outputs, signatureKey=b"serving_default", subgraphIndex=0)]
    tfl_flatbuffer_utils.write_model(model, str(tmp_path / "net.tflite"))
    source = resolve_source(str(tmp_path / "net.tflite"), out=tmp_path / "out").place()
    x = np.array([[1, 2, 3, 4]], np.float32)
    with open_session(OnnxFromTflite().convert(source, tmp_path / "onnx", Recipe()).path) as session:
        found = session.run(x)
    np.testing.assert_allclose(found["b"], 1 / (1 + np.exp(-x)), rtol=1e-5)
    np.testing.assert_allclose(found["a"], np.tanh(found["b"]), rtol=1e-5)
