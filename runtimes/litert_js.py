"""LiteRT for web pages (``@litertjs/core``): runs ``.tflite`` files in a headless Chromium."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ._tflite import TfLiteRuntime, TfLiteSession
from .base import OpenRequest
from .browser import LITERT, BrowserRuntime, Page, Port, WebSignature

_MOST_PORTS = 1000


class LiteRtJs(BrowserRuntime, TfLiteRuntime):
    """Google's engine for web pages; inputs and outputs are float32, int32 or uint8."""

    name = "litert-js"
    web = LITERT

    def _interpreter(self, file: str, threads: int) -> Any:
        return _Interpreter(Page(self.web, Path(file), threads=threads))

    def _session(self, interpreter: Any, request: OpenRequest) -> TfLiteSession:
        try:
            return LiteRtJsSession(interpreter, request, engine=self.name, version=self.version())
        except BaseException:
            interpreter.page.close()
            raise


class LiteRtJsSession(TfLiteSession):
    """A session in a page of its own."""

    def __init__(self, interpreter: _Interpreter, request: OpenRequest, *, engine: str, version: str) -> None:
        super().__init__(interpreter, request, engine=engine, version=version)
        self._page = interpreter.page
        self.clock = self._page.clock
        self.actual = replace(self.actual, threads=self._page.threads, detail=f"{self._page.detail}; {self.actual.detail}")

    def memory_bytes(self) -> int:
        """WebAssembly's memory."""
        return self._page.memory_bytes()

    def _close(self) -> None:
        super()._close()
        self._page.close()


class _Interpreter:
    """What a session asks of TF Lite's interpreter, answered by a page. Tensors are numbered through all signatures."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._runners = {each.name: _Runner(page, each, place * _MOST_PORTS) for place, each in enumerate(page.signatures)}
        self._first = next(runner for runner in self._runners.values() if runner.signature.inputs == page.inputs)
        self._given: dict[int, np.ndarray] = {}
        self._found: dict[int, np.ndarray] = {}

    def allocate_tensors(self) -> None:
        """The engine has done so."""

    def get_input_details(self) -> list[dict[str, Any]]:
        return list(self._first.get_input_details().values())

    def get_output_details(self) -> list[dict[str, Any]]:
        return list(self._first.get_output_details().values())

    def get_signature_list(self) -> list[str]:
        return list(self._runners)

    def get_signature_runner(self, key: str) -> _Runner:
        return self._runners[key]

    def set_tensor(self, index: int, array: np.ndarray) -> None:
        self._given[index] = array

    def invoke(self) -> None:
        inputs = [self._given[detail["index"]] for detail in self.get_input_details()]
        outputs = [detail["index"] for detail in self.get_output_details()]
        self._found = dict(zip(outputs, self.page.run(inputs, signature=self._first.signature.name), strict=True))

    def get_tensor(self, index: int) -> np.ndarray:
        return self._found[index]


class _Runner:
    """One signature: a call by name, as TF Lite's own runner."""

    def __init__(self, page: Page, signature: WebSignature, start: int) -> None:
        self._page = page
        self.signature = signature
        self._inputs = _details(signature.inputs, start)
        self._outputs = _details(signature.outputs, start + len(signature.inputs))

    def get_input_details(self) -> dict[str, dict[str, Any]]:
        return self._inputs

    def get_output_details(self) -> dict[str, dict[str, Any]]:
        return self._outputs

    def __call__(self, **arrays: np.ndarray) -> dict[str, np.ndarray]:
        outputs = self._page.run([arrays[name] for name in self._inputs], signature=self.signature.name)
        return dict(zip(self._outputs, outputs, strict=True))


def _details(ports: Sequence[Port], start: int) -> dict[str, dict[str, Any]]:
    """By name, as the interpreter describes a tensor; a page tells no scales, and takes no integers that stand for floats."""
    return {
        port.name: {"name": port.name, "index": start + place, "dtype": port.dtype, "shape_signature": port.shape, "quantization": (0.0, 0)}
        for place, port in enumerate(ports)
    }
