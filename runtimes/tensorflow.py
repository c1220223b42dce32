"""The TF Lite interpreter inside TensorFlow: runs ``.tflite`` files where TensorFlow is installed and LiteRT is not."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from ._flatbuffer import check_tflite
from ._tflite import TfLiteRuntime


class TensorFlow(TfLiteRuntime):
    """TensorFlow's own TF Lite interpreter."""

    name = "tensorflow"
    distribution = "tensorflow"
    module = "tensorflow"
    extra = "tensorflow"

    def _interpreter(self, file: str, threads: int) -> Any:
        check_tflite(Path(file))
        from tensorflow.lite.python.interpreter import Interpreter

        with warnings.catch_warnings():
            # It recommends LiteRT, which is an engine of its own here.
            warnings.filterwarnings("ignore", message=r"\s*Warning: tf\.lite\.Interpreter is deprecated")
            return Interpreter(model_path=file, num_threads=threads)
