"""OpenVINO."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openvino

_FLOATS = {"fp16": "f16", "bf16": "bf16"}


def load(file: Path, about: dict[str, Any]) -> Callable[[Sequence[np.ndarray]], list[np.ndarray]]:
    """What runs the model on inputs in the order of about.json."""
    core = openvino.Core()
    # Else some processors compute in bfloat16 whatever the file says.
    wanted = _FLOATS.get(about["precision"], "f32")
    able = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    precision = wanted if wanted == "f32" or {"f16": "FP16", "bf16": "BF16"}[wanted] in able else "f32"
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision}
    request = core.compile_model(core.read_model(file), "CPU", settings).create_infer_request()

    def run(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [array.copy() for array in request.infer(dict(enumerate(arrays))).values()]

    return run
