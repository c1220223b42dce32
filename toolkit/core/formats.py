"""Model formats and precisions, as data whose names decode."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from .errors import InputError, UnknownNameError


class Format(StrEnum):
    """A model file format; ``file_name`` is the model file's name inside an artifact folder."""

    file_name: str
    suffix: str

    def __new__(cls, value: str, file_name: str, suffix: str) -> Format:
        """A member with its data."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.file_name = file_name
        member.suffix = suffix
        return member

    PT2 = "pt2", "model.pt2", ".pt2"
    ONNX = "onnx", "model.onnx", ".onnx"
    OPENVINO = "openvino", "model.xml", ".xml"
    TFLITE = "tflite", "model.tflite", ".tflite"
    KERAS = "keras", "model.keras", ".keras"
    SAVEDMODEL = "savedmodel", "saved_model.pb", ".pb"
    EXECUTORCH = "executorch", "model.pte", ".pte"
    NCNN = "ncnn", "model.param", ".param"
    COREML = "coreml", "model.mlpackage/Data/com.apple.CoreML/model.mlmodel", ".mlmodel"

    @classmethod
    def parse(cls, name: str) -> Format:
        """The format called `name`; raises `UnknownNameError`."""
        for member in cls:
            if member.value == name.strip().lower():
                return member
        raise UnknownNameError("format", name, [f.value for f in cls])

    @classmethod
    def of_file(cls, path: Path) -> Format:
        """The format that a model file's suffix says; raises `InputError`."""
        for member in cls:
            if path.suffix.lower() == member.suffix:
                return member
        raise InputError(
            f"cannot tell the format of '{path}'",
            expected=f"a file ending in {', '.join(f.suffix for f in cls)}",
            got=f"'{path.suffix or path.name}'",
        )


class Precision(StrEnum):
    """What a model's weights and activations are.

    ``weights`` and ``activations`` name the stored and the computed type. ``is_calibrated`` says that making
    it needs real samples. int8 is static (ranges fixed by calibration), int8-dynamic measures activations at
    run time, int8-weights stores weights in int8 and computes in float; int4-weights stores those of matrix products in int4 and those of
    convolutions in int8; int16x8 is static with int16 activations and int8 weights.
    """

    weights: str
    activations: str
    is_calibrated: bool

    def __new__(cls, value: str, weights: str, activations: str, is_calibrated: bool) -> Precision:
        """A member with its data."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.weights = weights
        member.activations = activations
        member.is_calibrated = is_calibrated
        return member

    FP32 = "fp32", "float32", "float32", False
    FP16 = "fp16", "float16", "float16", False
    BF16 = "bf16", "bfloat16", "bfloat16", False
    INT8 = "int8", "int8", "int8", True
    INT8_DYNAMIC = "int8-dynamic", "int8", "int8 measured at run time", False
    INT8_WEIGHTS = "int8-weights", "int8", "float32", False
    INT4_WEIGHTS = "int4-weights", "int4", "float32", False
    INT16X8 = "int16x8", "int8", "int16", True

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
