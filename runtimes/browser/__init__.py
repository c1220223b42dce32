"""Engines that run in JavaScript: what they have in common, and the files that an exported page shares with a session.

A session is a page of a headless Chromium that Playwright drives, or a process of Node. To a page its scripts, the engine and the model
come from a server on loopback, with the headers without which a browser gives WebAssembly no threads.
"""

from __future__ import annotations

from .model import Port, WebModel, WebSignature
from .node import NodeModel
from .packages import (
    INSTALL,
    LITERT,
    NODE_PARTS,
    ONNXRUNTIME,
    ONNXRUNTIME_IN_NODE,
    ONNXRUNTIME_WEBGPU,
    WebEngine,
    install,
    missing,
    repair,
)
from .page import Page, find_gpu
from .runtime import BrowserRuntime

__all__ = [
    "INSTALL",
    "LITERT",
    "NODE_PARTS",
    "ONNXRUNTIME",
    "ONNXRUNTIME_IN_NODE",
    "ONNXRUNTIME_WEBGPU",
    "BrowserRuntime",
    "NodeModel",
    "Page",
    "Port",
    "WebEngine",
    "WebModel",
    "WebSignature",
    "find_gpu",
    "install",
    "missing",
    "repair",
]
