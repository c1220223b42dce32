"""AI Edge Quantizer on a TF Lite file."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from toolkit.core import Samples, Signature

from ._batches import batches


def quiet() -> None:
    """Warnings and errors only, from TensorFlow's C++ parts too; called before they are imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    logging.getLogger("absl").setLevel(logging.WARNING)


def quantize(source: Path, target: Path, recipe: Any, ranges: Any = None) -> None:
    """Write `source` quantized by an AI Edge Quantizer recipe to `target`; `ranges` is a calibration's result."""
    quiet()
    from ai_edge_quantizer.quantizer import Quantizer

    result = Quantizer(str(source), recipe).quantize(ranges, enable_progress_bar=False, enable_progress_report=False)
    target.write_bytes(result.quantized_model)


def calibrate(source: Path, recipe: Any, samples: Samples, signature: Signature) -> Any:
    """The smallest and largest value of each tensor of `source` over `samples`, in every signature of the file.

    Each signature sees every sample, and extremes are kept instead of AI Edge Quantizer's default, a moving average: the
    signatures share their biases, whose scale follows from these ranges, so the ranges must not depend on the batch size.
    """
    quiet()
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_quantizer.calibrator import Calibrator
    from ai_edge_quantizer.recipe_manager import RecipeManager
    from ai_edge_quantizer.utils.qsv_utils import min_max_update

    manager = RecipeManager()
    manager.load_quantization_recipe(recipe)
    interpreter = Interpreter(model_path=str(source))
    feeds = {}
    for name in interpreter.get_signature_list():
        details = interpreter.get_signature_runner(name).get_input_details()
        size = int(details[signature.inputs[0].name]["shape"][0])
        feeds[name] = [
            {key: array.astype(details[key]["dtype"], copy=False) for key, array in feed.items()}
            for feed in batches(samples, size, exact=True)
        ]
    calibrator = Calibrator(str(source), qsv_update_func=min_max_update)
    calibrator.calibrate(feeds, manager)
    return calibrator.get_model_qsvs()
