"""Keras files and SavedModels as sources: what they become, with parity, and what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from toolkit.converters.base import Recipe
from toolkit.converters.edges.tflite_from_keras import TfliteFromKeras
from toolkit.converters.edges.tflite_from_savedmodel import TfliteFromSavedmodel
from toolkit.converters.edges.tflite_int8 import TfliteInt8
from toolkit.converters.task import convert_isolated
from toolkit.core import Artifact, ArtifactError, ConversionError, InputError, Samples, ToolkitError
from toolkit.formats.savedmodel import check_savedmodel, savedmodel_operators
from toolkit.pipeline.source.resolve import resolve_source
from toolkit.runtimes import open_session

MAKE = """
import pathlib, sys
import keras
import numpy as np
import tensorflow as tf

folder = pathlib.Path(sys.argv[1])
keras.utils.set_random_seed(0)
layers, ops = keras.layers, keras.ops
steps, extra = keras.Input((3, 5), name="steps"), keras.Input((4,), name="extra")
hidden = layers.LSTM(8, return_sequences=True)(steps)
hidden = layers.Concatenate()([layers.Bidirectional(layers.GRU(6))(hidden), extra])
outputs = {"logits": layers.Dense(3)(hidden), "states": (hidden, ops.cast(hidden > 0, "int32"))}
recurrent = keras.Model({"steps": steps, "extra": extra}, outputs)
recurrent.save(folder / "recurrent.keras")
single = keras.Model(recurrent.input, outputs["logits"])
single.save(folder / "single.keras")
single.export(folder / "loops", verbose=False)
plain = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(3, name="scores")])
plain.save(folder / "plain.keras")
plain.export(folder / "exported", verbose=False)
keras.Sequential([keras.Input((3,)), layers.Lambda(lambda x: x * 2)]).save(folder / "code.keras")

class Reads(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32)])
    def serve(self, x):
        return {"y": x + tf.cast(tf.strings.length(tf.io.read_file("/etc/hostname")), tf.float32)}

class Python(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32)])
    def serve(self, x):
        return {"y": tf.numpy_function(lambda a: a, [x], tf.float32)}

class Two(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32)])
    def serve(self, x):
        return {"y": x + 1}

for module in (Reads(), Python()):
    tf.saved_model.save(module, str(folder / type(module).__name__.lower()), signatures=module.serve)
two = Two()
tf.saved_model.save(two, str(folder / "two"), signatures={"a": two.serve, "b": two.serve})
random = np.random.default_rng(0)
np.savez(folder / "recurrent.npz", steps=random.standard_normal((40, 3, 5), np.float32), extra=random.standard_normal((40, 4), np.float32))
np.save(folder / "plain.npy", random.standard_normal((40, 8, 8, 1), np.float32))
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    result = subprocess.run([sys.executable, "-W", "ignore", "-c", MAKE, str(folder)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return folder


def convert(*words: object) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "toolkit", "convert", *map(str, words), "--json", "-"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    rows: list[dict[str, Any]] = json.loads(result.stdout)
    return rows


@pytest.mark.slow
def test_a_recurrent_keras_net_in_three_formats(made: Path, tmp_path: Path) -> None:
    rows = convert(made / "recurrent.keras", "--data", made / "recurrent.npz", "--out", tmp_path, "--precision", "fp32")
    assert [row["target"] for row in rows] == ["onnx-fp32", "tflite-fp32", "openvino-fp32"]
    for row in rows:
        evidence = row["artifact"]["manifest"]["evidence"]
        assert evidence[0]["batch_sizes"] == [1, 2, 3, 7, 32]
        assert max(output["max_abs"] for output in evidence[0]["outputs"]) < 1e-5
    source = Artifact.load(tmp_path / "recurrent" / "keras-fp32")
    assert str(source.manifest.signature) == (
        "(extra:float32[batch,4], steps:float32[batch,3,5]) -> (logits:float32[batch,3], "
        "states.0:float32[batch,16], states.1:int32[batch,16])"
    )
    assert Artifact.load(tmp_path / "recurrent" / "onnx-fp32").manifest.parent == source.manifest.content_sha256


@pytest.mark.slow
def test_a_recurrent_keras_net_in_int8_and_with_fewer_samples_than_a_batch(made: Path, tmp_path: Path) -> None:
    source = resolve_source(str(made / "single.keras"), out=tmp_path).place()
    samples = Samples.load(made / "recurrent.npz").rows(slice(20))
    plain = convert_isolated(TfliteFromKeras(), source, tmp_path / "plain", Recipe())
    assert "WHILE" not in plain.manifest.operators.by_type  # type: ignore[union-attr]
    quantized = convert_isolated(TfliteInt8(), plain, tmp_path / "int8", Recipe(calibration=samples))
    assert quantized.manifest.operators is not None
    assert quantized.manifest.operators.quantized > 0
    inputs = dict(samples.rows(slice(7)).inputs)
    with open_session(plain) as exact, open_session(quantized) as rounded:
        np.testing.assert_allclose(rounded.run(inputs)[0], exact.run(inputs)[0], atol=0.2)


def test_a_loop_of_a_saved_model_is_refused_with_what_to_do(made: Path, tmp_path: Path) -> None:
    source = resolve_source(str(made / "loops"), out=tmp_path).place()
    with pytest.raises(ConversionError, match=r"TF Lite takes no loop whose batch is free, .*; convert the .keras file"):
        convert_isolated(TfliteFromSavedmodel(), source, tmp_path / "out", Recipe())


@pytest.mark.slow
def test_a_saved_model_with_its_folders(made: Path, tmp_path: Path) -> None:
    convert(made / "exported", "--data", made / "plain.npy", "--out", tmp_path, "--precision", "fp32", "--to", "onnx,tflite")
    source = Artifact.load(tmp_path / "exported" / "savedmodel-fp32")
    assert {"saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"} <= source.manifest.files.keys()
    assert str(source.manifest.signature.inputs[0]).endswith(":float32[batch,8,8,1]")
    (source.path / "variables" / "variables.index").write_bytes(b"another")
    with pytest.raises(ArtifactError, match=r"variables.index' is not the file its manifest describes"):
        Artifact.load(source.path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("code.keras", r"keras cannot open .*code.keras': .*Lambda.*"),
        ("reads", r"saved_model.pb' is refused, it could run code or read files: expected a network, .* got ReadFile"),
        ("python", "is refused, it could run code or read files: .* got PyFunc"),
        ("two", "expected a signature serving_default, or a single one, got a, b"),
    ],
)
def test_what_is_refused_leaves_nothing(made: Path, tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(ToolkitError, match=message) as caught:
        resolve_source(str(made / name), out=tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_link_in_a_saved_model_is_refused(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "exported", tmp_path / "linked")
    (tmp_path / "secret").write_text("another's")
    for link in (Path.symlink_to, Path.hardlink_to):
        link(tmp_path / "linked" / "assets" / "more", tmp_path / "secret")
        with pytest.raises(InputError, match="more' is a symbolic or hard link: expected the SavedModel's own files"):
            resolve_source(str(tmp_path / "linked"), out=tmp_path / "out")
        (tmp_path / "linked" / "assets" / "more").unlink()


def test_the_operators_are_read_without_tensorflow(made: Path, tmp_path: Path) -> None:
    file = made / "exported" / "saved_model.pb"
    assert savedmodel_operators(file)["Conv2D"] >= 1
    check_savedmodel(file)
    broken = tmp_path / "saved_model.pb"
    for length in range(0, 2000, 37):
        broken.write_bytes(file.read_bytes()[:length])
        with pytest.raises(ArtifactError):
            check_savedmodel(broken)
