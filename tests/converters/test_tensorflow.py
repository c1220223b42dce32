"""What Keras' own applications have and small networks have not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.converters.engines import compute
from toolkit.converters.base import Recipe
from toolkit.converters.edges.onnx_from_keras import OnnxFromKeras
from toolkit.converters.edges.tflite_from_keras import TfliteFromKeras
from toolkit.core import MANIFEST, Artifact, Format, Manifest, Precision, Signature, TensorSpec, new_folder, sha256_of
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
