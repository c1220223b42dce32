"""ONNX Runtime for web pages (``onnxruntime-web``) in Node: runs ``.onnx`` files on a server, or in an app made of web technology."""

from __future__ import annotations

from ._onnxruntime_web import OnnxRuntimeJs
from .base import OpenRequest
from .browser import NODE_PARTS, ONNXRUNTIME_IN_NODE, NodeModel, WebModel


class OnnxRuntimeWebNode(OnnxRuntimeJs):
    """Microsoft's engine for web pages, without a page."""

    name = "onnxruntime-web-node"
    web = ONNXRUNTIME_IN_NODE
    parts = NODE_PARTS
    in_page = False

    def import_engine(self) -> None:
        """Nothing: Node starts with each session."""

    def _model(self, request: OpenRequest) -> WebModel:
        return NodeModel(self.web, request.file, threads=request.threads)
