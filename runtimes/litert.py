"""LiteRT (``ai-edge-litert``): runs ``.tflite`` files."""

from __future__ import annotations

import importlib
from typing import Any

from toolkit.core import needs

from ._tflite import TfLiteRuntime


class LiteRt(TfLiteRuntime):
    """Google's engine for phones and boards."""

    name = "litert"
    distribution = "ai-edge-litert"
    module = "ai_edge_litert"
    extra = "tflite"

    def import_engine(self) -> None:
        """The interpreter and its library, which the package itself does not import."""
        with needs(self.extra):
            importlib.import_module(f"{self.module}.interpreter")

    def _interpreter(self, file: str, threads: int) -> Any:
        from ai_edge_litert.interpreter import Interpreter

        return Interpreter(model_path=file, num_threads=threads)
