"""Devices that are not here: one line each, with what to do; never another device in its place."""

from __future__ import annotations

import numpy as np
import pytest

from tests.runtimes.nets import NETS
from toolkit.core import Artifact, DeviceError, EngineError, Format, Precision
from toolkit.runtimes import Actual, Session, SessionOptions, find_runtime
from toolkit.runtimes.onnxruntime import OnnxRuntime


@pytest.mark.parametrize(
    ("engine", "device", "format", "repair"),
    [
        ("onnxruntime", "gpu", Format.ONNX, "onnxruntime-gpu"),
        ("onnxruntime", "npu", Format.ONNX, "onnxruntime-qnn"),
        ("torch", "gpu", Format.PT2, "pip install --force-reinstall torch"),
        ("openvino", "gpu", Format.OPENVINO, "intel-opencl-icd"),
        ("openvino", "npu", Format.OPENVINO, "linux-npu-driver"),
        ("ncnn", "gpu", Format.NCNN, "mesa-vulkan-drivers"),
        ("litert", "gpu", Format.TFLITE, "toolkit doctor"),
    ],
)
def test_a_device_that_is_not_here_names_its_repair(
    engine: str, device: str, format: Format, repair: str, bundles: dict[str, dict[Format, Artifact]]
) -> None:
    runtime = find_runtime(engine)
    if not runtime.is_installed() or device in runtime.devices():
        pytest.skip(f"{engine} is not installed, or has a {device}")
    with pytest.raises(DeviceError, match=rf"engine '{engine}' has no device '{device}' here: expected one of cpu; .*{repair}") as caught:
        runtime.open(bundles["cnn"][format], SessionOptions(device=device))
    assert "\n" not in str(caught.value)


def test_an_engine_that_falls_back_is_an_error(bundles: dict[str, dict[Format, Artifact]]) -> None:
    class Hopeful(OnnxRuntime):
        """As a build with CUDA on a machine whose driver is broken: it has the device until a session opens."""

        def devices(self) -> tuple[str, ...]:
            return ("gpu", "cpu")

    if "gpu" in OnnxRuntime().devices():
        pytest.skip("onnxruntime has a gpu here")
    with pytest.raises(DeviceError, match=r"did not use the device asked for: expected gpu, got cpu; .*onnxruntime-gpu"):
        Hopeful().open(bundles["cnn"][Format.ONNX], SessionOptions(device="gpu"))


def test_a_device_without_memory_is_one_line_that_says_what_to_do() -> None:
    class Full(Session):
        """As torch on a GPU whose memory other programs have."""

        def _run(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has 1.00 GiB.")

    session = Full(NETS["two"].signature, Actual("torch", "1", "gpu", Precision.FP32, 1))
    with pytest.raises(
        EngineError, match=r"^torch failed: RuntimeError: CUDA out of memory. Tried .*; run a smaller batch, or end"
    ) as caught:
        session.run(NETS["two"].inputs(3))
    assert "\n" not in str(caught.value)
