"""LiteRT. A file fixes its sizes, so it may hold a signature for each batch; images may have their channels last in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

LAST, FIRST = (0, 2, 3, 1), (0, 3, 1, 2)
"""Axes that bring channels last, and first again."""


def load(file: Path, about: dict[str, Any]) -> Callable[[Sequence[np.ndarray]], list[np.ndarray]]:
    """What runs the model on inputs in the order of about.json."""
    interpreter = Interpreter(model_path=str(file))
    interpreter.allocate_tensors()

    def run(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        shapes = [array.shape for array in arrays]
        for key in interpreter.get_signature_list():
            runner = interpreter.get_signature_runner(key)
            inputs = _ordered(runner.get_input_details(), about["inputs"])
            if all(_fits(port, shape) for (_, port), shape in zip(inputs, shapes, strict=True)):
                given = {name: _encoded(array, port) for (name, port), array in zip(inputs, arrays, strict=True)}
                found, outputs = runner(**given), _ordered(runner.get_output_details(), about["outputs"])
                return [_decoded(found[name], port, spec) for (name, port), spec in zip(outputs, about["outputs"], strict=True)]
            del runner  # While one lives, the interpreter itself refuses to run.
        return plain(arrays)

    def plain(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """A file without a signature for these sizes: its first graph."""
        for port, array in zip(interpreter.get_input_details(), arrays, strict=True):
            if not _fits(port, array.shape):
                raise ValueError(f"the file takes {port['shape_signature'].tolist()} and not {[*array.shape]}")
            if -1 in port["shape_signature"]:
                interpreter.resize_tensor_input(port["index"], _encoded(array, port).shape)
        interpreter.allocate_tensors()
        for port, array in zip(interpreter.get_input_details(), arrays, strict=True):
            interpreter.set_tensor(port["index"], _encoded(array, port))
        interpreter.invoke()
        outputs = zip(interpreter.get_output_details(), about["outputs"], strict=True)
        return [_decoded(interpreter.get_tensor(port["index"]), port, spec) for port, spec in outputs]

    return run


def _ordered(details: dict[str, Any], specs: Sequence[dict[str, Any]]) -> list[tuple[str, Any]]:
    """The tensors of a signature as about.json has them: by name, else by the number behind it, which is theirs in order."""
    names = [spec["name"] for spec in specs]
    if set(names) != set(details):
        names = sorted(details, key=lambda name: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)$", name)])
    return [(name, details[name]) for name in names]


def _fits(port: dict[str, Any], shape: Sequence[int]) -> bool:
    have = port["shape_signature"].tolist()
    ways = [shape, [shape[axis] for axis in LAST]] if len(shape) == 4 else [shape]
    return any(len(have) == len(way) and all(h in {-1, w} for h, w in zip(have, way, strict=True)) for way in ways)


def _same(port: dict[str, Any], shape: Sequence[int]) -> bool:
    have = port["shape_signature"].tolist()
    return len(have) == len(shape) and all(h in {-1, w} for h, w in zip(have, shape, strict=True))


def _encoded(array: np.ndarray, port: dict[str, Any]) -> np.ndarray:
    """An input as the file takes it: its layout, and its integers for real numbers."""
    array = array if _same(port, array.shape) else array.transpose(LAST)
    scale, zero = port["quantization"]
    if scale and np.issubdtype(port["dtype"], np.integer) and np.issubdtype(array.dtype, np.floating):
        limits = np.iinfo(port["dtype"])
        array = np.clip(np.rint(array / np.float32(scale)) + zero, limits.min, limits.max)
    return np.ascontiguousarray(array.astype(port["dtype"]))


def _decoded(array: np.ndarray, port: dict[str, Any], spec: dict[str, Any]) -> np.ndarray:
    """An output as about.json has it."""
    wanted = [array.shape[place] if isinstance(size, str) else size for place, size in enumerate(spec["shape"])]
    if array.ndim == 4 and [*array.shape] != wanted:
        array = array.transpose(FIRST)
    scale, zero = port["quantization"]
    if scale and np.issubdtype(array.dtype, np.integer) and spec["dtype"].startswith("float"):
        array = (array.astype(np.float32) - zero) * np.float32(scale)
    return np.ascontiguousarray(array.astype(spec["dtype"]))
