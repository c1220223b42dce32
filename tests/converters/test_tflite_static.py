"""TF Lite int8 of networks with loops, whose bodies are graphs of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from toolkit.converters.base import Recipe
from toolkit.converters.edges.tflite_int8 import TfliteInt8
from toolkit.core import Artifact, Format, Manifest, Precision, Samples, sha256_of
from toolkit.formats.tflite import read_graphs
from toolkit.runtimes import open_session

_MADE = """
import sys

import numpy as np
import tensorflow as tf

random = np.random.default_rng(0)
first, step, last = (tf.constant(random.normal(size=size).astype(np.float32) / 4) for size in ((8, 16), (16, 16), (16, 4)))


class Net(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([1, 12, 8], tf.float32, "x")])
    def run(self, x):
        def body(number, state, unread):
            state = tf.tanh(tf.gather(x, number, axis=1) @ first + state @ step)
            return number + 1, state, unread + state

        start = tf.zeros([1, 16])
        _, state, _ = tf.while_loop(lambda number, *_: number < 12, body, [0, start, start])
        return {"y": state @ last}


net = Net()
converter = tf.lite.TFLiteConverter.from_concrete_functions([net.run.get_concrete_function()], net)
open(sys.argv[1], "wb").write(converter.convert())
"""


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """A recurrence of which one state is read by nobody."""
    folder = tmp_path_factory.mktemp("loop") / "net" / "tflite-fp32"
    folder.mkdir(parents=True)
    file = folder / Format.TFLITE.file_name
    subprocess.run([sys.executable, "-c", _MADE, str(file)], check=True, capture_output=True)
    with open_session(file) as session:
        manifest = Manifest("net", Format.TFLITE, Precision.FP32, session.signature, {file.name: sha256_of(file)}, "import")
    (folder / "manifest.json").write_bytes(manifest.to_json())
    return Artifact.load(folder)


def test_what_a_loop_calls_stays_float_and_what_nobody_reads_needs_no_range(loop: Artifact, tmp_path: Path) -> None:
    """ddddocr's recurrence: "Tensor data is null", then no range for what its loop calls."""
    assert len(read_graphs(loop.model_file)) > 1
    (spec,) = loop.manifest.signature.inputs
    x = np.random.default_rng(1).normal(size=(40, 12, 8)).astype(np.float32)
    samples = Samples({spec.name: x}, None, "x").fit(loop.manifest.signature)
    made = TfliteInt8().convert(loop, tmp_path / "net" / "tflite-int8", Recipe(samples, effort=0))
    assert made.manifest.operators is not None
    assert made.manifest.operators.quantized >= 1
    with open_session(loop, engine="litert") as exact, open_session(made, engine="litert") as integers:
        wanted, found = (np.concatenate([session.run(x[row : row + 1])[0] for row in range(40)]) for session in (exact, integers))
    assert 10 * np.log10(np.sum(wanted**2) / np.sum((wanted - found) ** 2)) > 30
