"""ONNX to TF Lite, by onnx2tf and TensorFlow's own converter."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.core import Artifact, ConversionError, Format, Precision, Signature

from ..base import Node, Recipe
from ..onnx import folded
from ..tensorflow import Function, write_tflite
from ..tflite import ToTflite, quiet, variants_of

_RECURSION_LIMIT = 10_000
_ANNOUNCED = ("in user code", "Exception encountered when calling layer", 'File "', "Call arguments received", "return ")
_WRONG = re.compile(r"Error: |\[Op:|required|must |ncompatible|expected")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class TfliteFromOnnx(ToTflite):
    """The graph becomes a Keras network in TensorFlow's order of axes, whose inputs and outputs keep the order of the ONNX file.

    For files that came from elsewhere: a network of ours goes to TF Lite from its .pt2 file, in one step.
    """

    name = "tflite_from_onnx"
    source = Node(Format.ONNX, Precision.FP32)
    distributions = ("onnx", "onnx2tf", "tensorflow", "tf-keras", "ai-edge-litert")

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:
        signature, file = source.manifest.signature, source.model_file.absolute()
        variants = variants_of(signature, recipe.batch_sizes)
        names = [spec.name for spec in signature.inputs]
        # onnx2tf writes files of its own into the folder that it is called in.
        with tempfile.TemporaryDirectory(prefix="toolkit-") as folder, contextlib.chdir(folder):
            axes = [spec.name for spec in signature.inputs if len(spec.shape) in {3, 4, 5}]

            @functools.cache
            def network_of(sizes: tuple[tuple[str, int], ...]) -> Any:
                # onnx2tf takes a weight for an activation where the graph computes it out of others. It writes into the file that it is
                # given, and into its folder.
                own = Path(tempfile.mkdtemp(dir=folder))
                return _keras_network(folded(file, own, sizes=dict(sizes), signature=signature), axes, own)

            def function(sizes: Mapping[str, int]) -> Function:
                network = network_of(tuple(sizes.items()))
                position = {tensor.name: index for index, tensor in enumerate(network.inputs)}

                def call(arrays: Mapping[str, Any]) -> Sequence[Any]:
                    given = sorted(names, key=lambda name: position.get(name, names.index(name)))
                    found = network([arrays[name] for name in given], training=False)
                    return list(found) if isinstance(found, list | tuple) else [found]

                return call

            # What is wrong with the graph is told before TensorFlow is imported.
            network_of(tuple(variants[0].sizes.items()))
            return write_tflite(function, signature, variants, target)


def _keras_network(file: Path, kept: Sequence[str], folder: Path) -> Any:
    """The network as onnx2tf builds it, the axes of the inputs `kept` in their own order; raises `ConversionError`."""
    quiet()
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    with warnings.catch_warnings(), _recursion_limit():
        warnings.simplefilter("ignore")
        import onnx2tf
        import tf_keras

        sys.setrecursionlimit(_RECURSION_LIMIT)
        tf_keras.backend.clear_session()  # It numbers its layers through the whole process, and the numbers would be in the file.
        try:
            return onnx2tf.convert(
                input_onnx_file_path=str(file),
                output_folder_path=str(folder / "out"),
                # Else images of NCHW become NHWC, and the signature would no longer be the model's.
                keep_ncw_or_nchw_or_ncdhw_input_names=list(kept) or None,
                not_use_onnxsim=True,
                non_verbose=True,
            )
        except ModuleNotFoundError as error:
            missing = str(error.name).rpartition(".")[2]
            raise ConversionError(f"onnx2tf cannot convert the graph: it has no operator '{missing}'") from error
        except (Exception, SystemExit) as error:  # It ends the process where an operator fails.
            text = f"{type(error).__name__}: {_said(str(error))}".rstrip(": ")
            raise ConversionError(f"onnx2tf cannot convert the graph: {text}") from error


def _said(text: str) -> str:
    """The line of an error's text that says what is wrong: Keras announces first where it was."""
    lines = [line.strip() for line in _COLOUR.sub("", text).strip().splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith(_ANNOUNCED)]
    return next((line for line in said if _WRONG.search(line)), (said or lines or [""])[0])[:300]


@contextlib.contextmanager
def _recursion_limit() -> Iterator[None]:
    """Keep the process's own limit: onnx2tf lifts it for good when it is imported, and endless recursion then ends the process."""
    before = sys.getrecursionlimit()
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
