"""What ONNX Runtime for web pages (``onnxruntime-web``) has in common wherever its scripts run."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from toolkit.core import Format, Signature
from toolkit.core.free_sizes import Declared, name_sizes

from .base import Actual, OpenRequest, Session
from .browser import BrowserRuntime, Port, WebModel


class OnnxRuntimeJs(BrowserRuntime):
    """Microsoft's engine for web pages; where a model is opened is the subclass's."""

    formats = frozenset({Format.ONNX})

    def _open(self, request: OpenRequest) -> Session:
        model = self._model(request)
        return OnnxRuntimeWebSession(model, request, self._actual(model, request.device))

    @abstractmethod
    def _model(self, request: OpenRequest) -> WebModel: ...


class OnnxRuntimeWebSession(Session):
    """A session in a page, or a process of Node, of its own."""

    def __init__(self, model: WebModel, request: OpenRequest, actual: Actual) -> None:
        self._model = model
        super().__init__(request.signature or Signature(*name_sizes(_declared(model.inputs), _declared(model.outputs))), actual)
        self.clock = model.clock

    def _run(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        return self._model.run(arrays)

    def memory_bytes(self) -> int:
        """WebAssembly's memory."""
        return self._model.memory_bytes()

    def _close(self) -> None:
        self._model.close()


def _declared(ports: Sequence[Port]) -> list[Declared]:
    return [Declared(port.name, port.dtype, tuple(size or None for size in port.shape)) for port in ports]
