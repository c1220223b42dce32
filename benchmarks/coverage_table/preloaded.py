"""What the process imports from which every task is forked: the frameworks, without their reports to their makers."""

import gc
import importlib
import os

from toolkit.core.needs import without_telemetry

os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "2", "KERAS_BACKEND": "tensorflow"}
without_telemetry()
for name in (
    "torch", "torch.onnx", "transformers.modeling_utils", "transformers.modeling_outputs", "onnx", "onnxscript", "onnxruntime",
    "onnxruntime.quantization", "tensorflow", "keras", "tf2onnx", "openvino", "nncf",
    "litert_torch", "ai_edge_quantizer.quantizer", "ai_edge_litert.interpreter",
    "toolkit.converters.planner", "toolkit.converters.task", "toolkit.runtimes.parity", "toolkit.pipeline.source.resolve",
):  # fmt: skip
    importlib.import_module(name)
# The collector would walk through all of it in every fork, and the walk copies each page.
gc.freeze()
