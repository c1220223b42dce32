"""ONNX Runtime for web pages (``onnxruntime-web``): runs ``.onnx`` files in a headless Chromium."""

from __future__ import annotations

from typing import ClassVar

from ._gpu import devices_with
from ._onnxruntime_web import OnnxRuntimeJs
from .base import OpenRequest
from .browser import ONNXRUNTIME, ONNXRUNTIME_WEBGPU, Page, WebModel, find_gpu


class OnnxRuntimeWeb(OnnxRuntimeJs):
    """Microsoft's engine for web pages."""

    name = "onnxruntime-web"
    web = ONNXRUNTIME
    repairs: ClassVar = {"gpu": "its browser finds no WebGPU: Chromium has it since 113, and TOOLKIT_CHROMIUM names another one"}

    def devices(self) -> tuple[str, ...]:
        """The processor, and WebGPU's where the browser finds one."""
        return devices_with(find_gpu())

    def _model(self, request: OpenRequest) -> WebModel:
        engine = ONNXRUNTIME_WEBGPU if request.device == "gpu" else self.web
        return Page(engine, request.file, threads=request.threads, device=request.device)
