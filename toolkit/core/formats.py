"""Model formats and precisions, as data whose names decode."""

from __future__ import annotations

from enum import StrEnum

from .errors import UnknownNameError


class Format(StrEnum):
    """A model file format; ``file_name`` is the model file's name inside an artifact folder. All else that is known of one is in
    `toolkit.formats`.
    """

    file_name: str

    def __new__(cls, value: str, file_name: str) -> Format:
        """A member with its data."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.file_name = file_name
        return member

    PT2 = "pt2", "model.pt2"
    ONNX = "onnx", "model.onnx"
    OPENVINO = "openvino", "model.xml"
    TFLITE = "tflite", "model.tflite"
    KERAS = "keras", "model.keras"
    SAVEDMODEL = "savedmodel", "saved_model.pb"
    EXECUTORCH = "executorch", "model.pte"
    NCNN = "ncnn", "model.param"
    COREML = "coreml", "model.mlpackage/Data/com.apple.CoreML/model.mlmodel"
    TORCHSCRIPT = "torchscript", "model.ts"

    @classmethod
    def parse(cls, name: str) -> Format:
        """The format called `name`; raises `UnknownNameError`."""
        for member in cls:
            if member.value == name.strip().lower():
                return member
        raise UnknownNameError("format", name, [f.value for f in cls])


class Precision(StrEnum):
    """What a model's weights and activations are.

    ``weights`` and ``activations`` name the stored and the computed type. ``is_calibrated`` says that making it needs real samples. int8
    is static (ranges fixed by calibration), int8-dynamic measures activations at run time, int8-weights stores weights in int8 and
    computes in float; int4-weights stores those of matrix products in int4 and those of convolutions in int8; int16x8 is static with
    int16 activations and int8 weights. ``distance`` orders them from the one nearest to the trained network, 0, to the one farthest from
    it.
    """

    weights: str
    activations: str
    is_calibrated: bool
    distance: int

    def __new__(cls, value: str, weights: str, activations: str, is_calibrated: bool, distance: int) -> Precision:
        """A member with its data."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.weights = weights
        member.activations = activations
        member.is_calibrated = is_calibrated
        member.distance = distance
        return member

    FP32 = "fp32", "float32", "float32", False, 0
    FP16 = "fp16", "float16", "float16", False, 1
    BF16 = "bf16", "bfloat16", "bfloat16", False, 2
    INT8 = "int8", "int8", "int8", True, 6
    INT8_DYNAMIC = "int8-dynamic", "int8", "int8 measured at run time", False, 5
    INT8_WEIGHTS = "int8-weights", "int8", "float32", False, 3
    INT4_WEIGHTS = "int4-weights", "int4", "float32", False, 7
    INT16X8 = "int16x8", "int8", "int16", True, 4

    @property
    def is_quantized(self) -> bool:
        """Whether the weights are integers, so that quantized operators must appear in the file."""
        return self.weights.startswith("int")

    @classmethod
    def parse(cls, name: str) -> Precision:
        """The precision called `name`; raises `UnknownNameError`."""
        for member in cls:
            if member.value == name.strip().lower():
                return member
        raise UnknownNameError("precision", name, [p.value for p in cls])

    @classmethod
    def leading(cls, name: str) -> Precision:
        """The precision with which `name` begins, as ``int8-entropy`` does with int8, the longest of several; raises `UnknownNameError`."""
        found = [member for member in cls if name == member.value or name.startswith(f"{member.value}-")]
        if not found:
            raise UnknownNameError("precision", name, [p.value for p in cls])
        return max(found, key=len)
