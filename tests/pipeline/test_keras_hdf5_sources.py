"""Networks in Keras' older HDF5 format as sources: compared with the Keras 2 that wrote them, and what is refused in one line."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from toolkit.core import Artifact, Format, InputError, ToolkitError
from toolkit.pipeline.inspect import describe_file
from toolkit.pipeline.source.resolve import resolve_source
from toolkit.runtimes import open_session

MAKE = """
import pathlib, sys
import h5py
import numpy as np
import tensorflow as tf
import tf_keras

folder = pathlib.Path(sys.argv[1])
layers = tf_keras.layers
tf_keras.utils.set_random_seed(0)

def saved(name, model):
    model.save(folder / name.lower())  # Another end of the name it takes for a folder's.
    (folder / name.lower()).rename(folder / name)
    shape = [2, *model.inputs[0].shape[1:]]
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    np.savez(folder / f"{name}.npz", x=x, y=model.predict(x, verbose=0))

x = tf_keras.Input((8, 8, 3), name="image")
hidden = layers.DepthwiseConv2D(3, activation="relu")(x)
hidden = layers.LeakyReLU(0.2)(layers.BatchNormalization()(hidden))
saved("plain.h5", tf_keras.Model(x, layers.Dense(3, activation="softmax", name="scores")(layers.Flatten()(hidden))))
recurrent = [layers.LSTM(4, return_sequences=True), layers.Bidirectional(layers.GRU(4, reset_after=False)), layers.Dense(2)]
saved("RECURRENT.HDF5", tf_keras.Sequential([tf_keras.Input((5, 3)), *recurrent]))
(folder / "named.keras").write_bytes((folder / "plain.h5").read_bytes())
np.savez(folder / "named.keras.npz", **np.load(folder / "plain.h5.npz"))

class Own(layers.Layer):
    def call(self, x):
        return x * 2

start = tf_keras.Input((3,))
tf_keras.Model(start, layers.Lambda(lambda x: x * 2)(start)).save(folder / "code.h5")
tf_keras.Model(start, Own()(start)).save(folder / "own.h5")
tf_keras.Model(start, tf.nn.relu(start) * 2).save(folder / "operators.h5")
old = tf_keras.Model(start, layers.Dense(2, activation="hard_sigmoid")(start))
old.save(folder / "hard.h5")
old.save_weights(folder / "weights.h5")
(folder / "cut.h5").write_bytes((folder / "plain.h5").read_bytes()[:-1000])
(folder / "words.h5").write_text("<html><body>404</body></html>")
(folder / "theano.h5").write_bytes((folder / "plain.h5").read_bytes())
with h5py.File(folder / "theano.h5", "r+") as file:
    file.attrs["backend"] = "theano"
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    result = subprocess.run([sys.executable, "-W", "ignore", "-c", MAKE, str(folder)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return folder


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", ["plain.h5", "RECURRENT.HDF5", "named.keras"])
def test_a_network_of_keras_2_becomes_a_keras_file_that_computes_the_same(made: Path, tmp_path: Path, name: str) -> None:
    made_of = resolve_source(str(made / name), out=tmp_path).place()
    assert made_of.path == tmp_path / Path(name).stem / "keras-fp32"
    assert made_of == Artifact.load(made_of.path)
    assert made_of.manifest.files.keys() == {Format.KERAS.file_name}
    assert made_of.model_file.read_bytes().startswith(b"PK")
    with np.load(made / f"{name}.npz") as expected, open_session(made_of) as session:
        np.testing.assert_allclose(session.run([expected["x"]])[0], expected["y"], atol=1e-5)


def test_a_bare_file_is_described_by_its_layers(made: Path) -> None:
    found = describe_file(made / "plain.h5")
    assert str(found.signature) == "(image:float32[batch,8,8,3]) -> (scores:float32[batch,3])"
    assert found.operators is not None
    assert found.operators.by_type["DepthwiseConv2D"] == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("code.h5", "does not read 'code.h5', which Keras 2.* wrote, in safe mode: .*`Lambda` layer.*; export it where its code is"),
        ("own.h5", "does not read 'own.h5', which Keras 2.* wrote, in safe mode: .*Unknown layer: 'Own'; export it where its code is"),
        ("operators.h5", r"Unknown layer: 'TFOpLambda'; export it where .* convert that folder: tf.saved_model.save\(model, 'folder'\)"),
        ("hard.h5", "computes 'hard.h5', which Keras 2.* wrote, otherwise: hard_sigmoid was .*; export it where its code is"),
        ("theano.h5", "computes 'theano.h5', which Keras 2.* wrote, otherwise: Theano turns the kernels"),
        ("weights.h5", r"'weights.h5' holds weights, not a model: expected a whole network, .*model.load_weights\('weights.h5'\)"),
        ("cut.h5", "cut.h5' cannot be read: expected a complete HDF5 file, got .*truncated"),
        ("words.h5", "words.h5' is no HDF5 file: expected a file written by model.save"),
    ],
)
def test_what_is_refused_says_why_in_one_line_and_leaves_nothing(made: Path, tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(ToolkitError, match=message) as caught:
        resolve_source(str(made / name), out=tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert "safe_mode=False" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_inputs_are_the_files_own(made: Path, tmp_path: Path) -> None:
    shutil.copyfile(made / "plain.h5", tmp_path / "plain.h5")
    with pytest.raises(InputError, match=r"plain\.h5' has its own inputs"):
        resolve_source(str(tmp_path / "plain.h5"), inputs=("x:float32[batch,3]",), out=tmp_path / "out")
