"""Devices that are not here: one line each, with what to do; never another device in its place."""

from __future__ import annotations

import pytest

from toolkit.core import Artifact, DeviceError, Format
from toolkit.runtimes import SessionOptions, find_runtime
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
