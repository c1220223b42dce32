"""The reference CNN in int8 for microcontrollers, and each engine's integers layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.converters.recipes import builtin_recipe
from toolkit.core import Affine
from toolkit.formats.tflite import read_graph

Tensors = dict[int, np.ndarray]
"""A call's tensors by their numbers in the file."""


def integer_io() -> Any:
    """The recipe whose files have integers at their borders."""
    return builtin_recipe("int8-integer-io")


def digits(count: int) -> np.ndarray:
    """Real images ``[count, 1, 8, 8]`` float32 in [0, 1], in a seeded order."""
    from sklearn.datasets import load_digits

    images = (load_digits().images[:, None] / 16).astype(np.float32)
    chosen: np.ndarray = images[np.random.default_rng(0).permutation(len(images))[:count]]
    return chosen


def litert(file: Path, resolver: str) -> Any:
    """LiteRT with one thread and one kind of kernels: AUTO has XNNPACK's, BUILTIN_REF the plain ones of the reference."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    keep = resolver != "AUTO"  # XNNPACK's own tensors cannot be read.
    interpreter = Interpreter(
        str(file),
        num_threads=1,
        experimental_op_resolver_type=getattr(OpResolverType, resolver),
        experimental_preserve_all_tensors=keep,
    )
    interpreter.allocate_tensors()
    return interpreter


def micro(content: bytes) -> Any:
    """The interpreter for microcontrollers, with every tensor kept."""
    from tflite_micro.python.tflite_micro import runtime

    keep = runtime.InterpreterConfig.kPreserveAllTensors
    return runtime.Interpreter.from_bytes(content, arena_size=2**24, intrepreter_config=keep)


def outputs_of_litert(interpreter: Any, images: np.ndarray) -> np.ndarray:
    """The file's own outputs, a row an image."""
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
    rows = []
    for image in encoded(source["quantization"], source["dtype"], images):
        interpreter.set_tensor(source["index"], image[None])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(target["index"])[0])
    return np.array(rows)


def outputs_of_micro(interpreter: Any, images: np.ndarray) -> np.ndarray:
    """The file's own outputs, a row an image."""
    detail = interpreter.get_input_details(0)
    parameters = detail["quantization_parameters"]
    quantization = (float(parameters["scales"][0]), int(parameters["zero_points"][0])) if len(parameters["scales"]) else (0.0, 0)
    rows = []
    for image in encoded(quantization, detail["dtype"], images):
        interpreter.set_input(image[None], 0)
        interpreter.invoke()
        rows.append(interpreter.get_output(0)[0])
    return np.array(rows)


def encoded(quantization: tuple[float, int], dtype: Any, images: np.ndarray) -> np.ndarray:
    """As the file takes them."""
    affine = Affine.of(quantization)
    return affine.quantize(images, np.dtype(dtype).name) if affine else images


def products(
    file: Path, interpreter: Any, tensors: Callable[[int], np.ndarray]
) -> Iterable[tuple[np.ndarray, np.ndarray, np.ndarray, int]]:
    """For each fully connected layer of a call what it sums up exactly ``[N]`` int64, the real factor of each sum, the integers that the
    engine made of it, and their zero point.

    Args:
        interpreter: LiteRT's, for weights and scales.
        tensors: a tensor of the call by its number.
    """
    details = {detail["index"]: detail["quantization_parameters"] for detail in interpreter.get_tensor_details()}
    for node in read_graph(file).nodes:
        if node.type != "FULLY_CONNECTED":
            continue
        source, weights, bias = node.inputs
        (target,) = node.outputs
        zero, new_zero = (int(details[tensor]["zero_points"][0]) for tensor in (source, target))
        values = tensors(source).astype(np.int64).ravel() - zero
        sums = interpreter.get_tensor(weights).astype(np.int64) @ values + interpreter.get_tensor(bias).astype(np.int64)
        scales = details[weights]["scales"].astype(np.float64)
        factors = scales * float(details[source]["scales"][0]) / float(details[target]["scales"][0])
        yield sums, np.broadcast_to(factors, sums.shape), tensors(target).ravel(), new_zero


def rounded_once(sums: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """``sums * factors`` by a 31-bit factor and a shift, halves up."""
    factor, shift = _parts(factors)
    whole = 31 - shift
    return np.asarray((sums * factor + (1 << (whole - 1))) >> whole)


def rounded_twice(sums: np.ndarray, factors: np.ndarray, *, away: bool) -> np.ndarray:
    """First to the upper half of the product (gemmlowp's SaturatingRoundingDoublingHighMul), then in the shift: halves away from zero,
    or up.
    """
    factor, shift = _parts(factors)
    right = np.maximum(-shift, 0)
    product = (sums << np.maximum(shift, 0)) * factor
    product = product + np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    high = np.sign(product) * (np.abs(product) >> 31)
    if not away:
        return np.asarray((high + ((1 << right) >> 1)) >> right)
    mask = (1 << right) - 1
    return np.asarray((high >> right) + ((high & mask) > (mask >> 1) + (high < 0)))


def _parts(factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mantissa, exponent = np.frexp(factors)
    factor = np.floor(mantissa * 2.0**31 + 0.5).astype(np.int64)
    over = factor == 1 << 31
    return np.where(over, factor >> 1, factor), (exponent + over).astype(np.int64)
