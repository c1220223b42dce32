"""The tools themselves, called as their documents say: ``python -m benchmarks.real_models.raw FILE TARGET DATA.npz OUT``.

One function a target, with nothing that the documents do not tell: how many lines each has is part of the page. Calibration takes the
same samples as the toolkit's.
"""

from __future__ import annotations

import inspect
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

_SAMPLES = 200


def onnx_fp16(source: Path, out: Path, rows: list[dict[str, np.ndarray]]) -> Path:
    """onnxruntime.transformers' float16."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    model = convert_float_to_float16(onnx.load(source), keep_io_types=True)
    onnx.save(model, out / "model.onnx")
    return out / "model.onnx"


def onnx_int8(source: Path, out: Path, rows: list[dict[str, np.ndarray]]) -> Path:
    """onnxruntime's quantize_static after its preparation."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.rows = iter(rows)

        def get_next(self) -> Any:
            return next(self.rows, None)

    quant_pre_process(str(source), str(out / "prepared.onnx"))
    quantize_static(str(out / "prepared.onnx"), str(out / "model.onnx"), Reader(), quant_format=QuantFormat.QDQ, per_channel=True)
    return out / "model.onnx"


def openvino_fp32(source: Path, out: Path, rows: list[dict[str, np.ndarray]]) -> Path:
    """openvino.convert_model."""
    import openvino

    openvino.save_model(openvino.convert_model(source), out / "model.xml", compress_to_fp16=False)
    return out / "model.xml"


def openvino_fp16(source: Path, out: Path, rows: list[dict[str, np.ndarray]]) -> Path:
    """openvino.save_model, which compresses by default."""
    import openvino

    openvino.save_model(openvino.convert_model(source), out / "model.xml")
    return out / "model.xml"


def openvino_int8(source: Path, out: Path, rows: list[dict[str, np.ndarray]]) -> Path:
    """nncf.quantize."""
    import nncf
    import openvino

    model = nncf.quantize(openvino.convert_model(source), nncf.Dataset(rows))
    openvino.save_model(model, out / "model.xml")
    return out / "model.xml"


def tflite_fp32(source: Path, out: Path, rows: list[dict[str, np.ndarray]]) -> Path:
    """onnx2tf, by its command."""
    subprocess.run([_onnx2tf(), "-i", str(source), "-o", str(out)], check=True)
    return next(out.glob("*float32.tflite"))


def tflite_fp16(source: Path, out: Path, rows: list[dict[str, np.ndarray]]) -> Path:
    """onnx2tf writes it beside."""
    tflite_fp32(source, out, rows)
    return next(out.glob("*float16.tflite"))


def tflite_int8(source: Path, out: Path, rows: list[dict[str, np.ndarray]]) -> Path:
    """onnx2tf with its quantization and samples of each input, channels last."""
    words: list[str] = []
    for name in rows[0]:
        array = np.concatenate([row[name] for row in rows])
        np.save(file := out / f"{len(words)}.npy", np.moveaxis(array, 1, -1) if array.ndim > 2 else array)
        words += ["-cind", name, str(file), "[0]", "[1]"]
    subprocess.run([_onnx2tf(), "-i", str(source), "-o", str(out), "-oiqt", *words], check=True)
    return next(out.glob("*_integer_quant.tflite"))


TARGETS: dict[str, Callable[[Path, Path, list[dict[str, np.ndarray]]], Path]] = {
    function.__name__.replace("_", "-"): function
    for function in (onnx_fp16, onnx_int8, openvino_fp32, openvino_fp16, openvino_int8, tflite_fp32, tflite_fp16, tflite_int8)
}


def lines_of(target: str) -> int:
    """How many lines a reader writes for a target: those of its function without its head, its docstring and what is empty."""
    text = inspect.getsource(TARGETS[target]).splitlines()
    return sum(1 for line in text[2:] if line.strip())


def _onnx2tf() -> str:
    return shutil.which("onnx2tf", path=str(Path(sys.executable).parent)) or "onnx2tf"


def _rows(file: Path) -> Iterator[dict[str, np.ndarray]]:
    """The samples one by one; what has another number of rows goes along whole."""
    with np.load(file) as arrays:
        inputs = {name: arrays[name] for name in arrays if name != "targets"}
        count = min(len(arrays["targets"]), _SAMPLES)
    for place in range(count):
        yield {name: array[place : place + 1] for name, array in inputs.items()}


if __name__ == "__main__":
    source, target, data, out = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4])
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    print(TARGETS[target](source, out, list(_rows(data))))
