"""ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime


def load(file: Path, about: dict[str, Any]) -> Callable[[Sequence[np.ndarray]], list[np.ndarray]]:
    """What runs the model on inputs in the order of about.json."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if about["precision"] in {"int8", "int8-dynamic"}:
        # On x86 without VNNI the default kernels let sums of two products saturate.
        options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    inputs = [port.name for port in session.get_inputs()]
    outputs = [port.name for port in session.get_outputs()]

    def run(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        return list(session.run(outputs, dict(zip(inputs, arrays, strict=True))))

    return run
