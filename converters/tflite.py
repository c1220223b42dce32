"""AI Edge Quantizer on a TF Lite file."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import Affine, Artifact, ConversionError, Format, InputError, Precision, Samples, Scalar, Signature, TensorSpec
from toolkit.core.free_sizes import distinct
from toolkit.formats.base import elements
from toolkit.formats.tflite import read_graph, signature_tensors

from .base import Converter, Node, Recipe
from .batches import batches, fixes_of, numbered
from .tflite_prepared import prepare
from .tflite_signatures import compute_alike, moved_ranges

_ALL_TENSORS_BYTES = 2 * 2**30


def quiet() -> None:
    """Warnings and errors only, from TensorFlow's C++ parts too; called before they are imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    logging.getLogger("absl").setLevel(logging.WARNING)


def quantize(file: Path, target: Path, recipe: Any, *, signature: Signature, ranges: Any = None, integer_io: bool = False) -> None:
    """Write `file` quantized by an AI Edge Quantizer recipe to `target`; `ranges` is a calibration's result. With `integer_io` real
    inputs and outputs may be integers with a scale.

    Raises:
        ConversionError: the file's own inputs or outputs are no longer those of `signature`.
    """
    quiet()
    from ai_edge_quantizer.quantizer import Quantizer

    result = Quantizer(str(file), recipe).quantize(ranges, enable_progress_bar=False, enable_progress_report=False)
    target.write_bytes(result.quantized_model)
    check(target, signature, integer_io=integer_io)


def quantize_source(source: Artifact, target: Path, recipe: Any) -> None:
    """As `quantize` without ranges, of an artifact's file as other tools may have written it."""
    signature = source.manifest.signature
    with tempfile.TemporaryDirectory(dir=target.parent) as work:
        quantize(prepare(source.model_file, signature, Path(work) / target.name), target, recipe, signature=signature)


def check(file: Path, signature: Signature, variants: Sequence[Variant] = (), *, integer_io: bool = False) -> None:
    """Compare the inputs and outputs of each signature of a TF Lite file with `signature`, and the signatures with `variants` if given.

    64-bit types may be 32-bit in the file, by a converter's rule, and with `integer_io` what has a scale stands for float32.

    Raises:
        ConversionError: another name or dtype, or a batch size that is missing.
        RuntimeError: the interpreter's own, when it cannot prepare the file.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(file))
    interpreter.allocate_tensors()
    found = list(interpreter.get_signature_list())
    if variants and sorted(found) != sorted(each.name for each in variants):
        raise ConversionError("TF Lite has other signatures", expected=", ".join(each.name for each in variants), got=", ".join(found))
    for name in found:
        runner = interpreter.get_signature_runner(name)
        for details, specs in ((runner.get_input_details(), signature.inputs), (runner.get_output_details(), signature.outputs)):
            got = {
                key: "float32" if integer_io and Affine.of(detail["quantization"]) else str(np.dtype(detail["dtype"]))
                for key, detail in details.items()
            }
            wanted = {spec.name: spec.dtype if got.get(spec.name) == spec.dtype else spec.dtype.replace("64", "32") for spec in specs}
            if got != wanted:
                raise ConversionError(f"signature '{name}' of TF Lite differs", expected=str(wanted), got=str(got))


def in_order_of_graph(file: Path, signature: Signature) -> Signature:
    """The signature with its inputs and outputs in the order of the file's first graph: a signature of the file may have another one."""
    graph = read_graph(file)
    entries = signature_tensors(file)
    found: list[tuple[TensorSpec, ...]] = []
    for specs, numbers, named in zip((signature.inputs, signature.outputs), (graph.inputs, graph.outputs), entries, strict=True):
        names = named or {graph.tensors[number].name: number for number in numbers}
        by_number = {names[spec.name]: spec for spec in specs if spec.name in names}
        found.append(tuple(by_number[number] for number in numbers) if set(by_number) == set(numbers) else specs)
    return replace(signature, inputs=found[0], outputs=found[1])


def plain_name(kind: str, place: int) -> str:
    """What the input or the output number `place` is called until `name_signatures`: ``input_0``."""
    return f"{kind}_{place}"


def name_signatures(file: Path, signature: Signature) -> None:
    """Replace each `plain_name` in the file by the signature's: TensorFlow takes none that is no identifier, such as ``gpu_0/data_0``."""
    from ai_edge_quantizer.utils import tfl_flatbuffer_utils

    model = tfl_flatbuffer_utils.read_model(str(file))
    for definition in model.signatureDefs:
        for kind, entries, specs in (("input", definition.inputs, signature.inputs), ("output", definition.outputs, signature.outputs)):
            names = {plain_name(kind, place).encode(): spec.name.encode() for place, spec in enumerate(specs)}
            for entry in entries:
                entry.name = names[entry.name]
    tfl_flatbuffer_utils.write_model(model, str(file))


@dataclass(frozen=True)
class Variant:
    """A signature of a file: its name, such as ``b32`` or ``b32_h48_w320``, its batch, and the sizes of what is free besides."""

    name: str
    batch: int
    sizes: Mapping[str, int]


def variants_of(signature: Signature, batch_sizes: Sequence[int]) -> list[Variant]:
    """The signatures of a new file: one for each of the batch sizes, or for the one that the model's signature fixes, and for each of the
    sizes that are fixed.

    Raises:
        InputError: another dimension is free and nobody says its size, or there is no usable batch size.
    """
    fixes = fixes_of(signature, "TF Lite")
    if not signature.has_free_batch:
        batches = sorted({int(spec.shape[0]) for spec in signature.inputs if spec.shape and isinstance(spec.shape[0], int)})[:1] or [1]
    elif not batch_sizes or min(batch_sizes) < 1:
        raise InputError("batch sizes", expected="at least one, each 1 or more", got=str(list(batch_sizes)))
    else:
        batches = sorted(set(batch_sizes))

    def name(batch: int, sizes: Mapping[str, int]) -> str:
        return "_".join([f"b{batch}", *(f"{symbol}{size}" for symbol, size in sizes.items())]) if len(fixes) > 1 else f"b{batch}"

    return [Variant(name(batch, sizes), batch, sizes) for sizes in fixes for batch in batches]


def as_written(file: Path, signature: Signature, variants: Sequence[Variant]) -> Signature | None:
    """The signature of a file that was written with these variants, where it is another one than that of the model: with its numbers, or
    with the only sizes that it takes.
    """
    fixes = distinct(variant.sizes for variant in variants)
    if not any(fixes):
        return None
    if len(fixes) > 1:
        return replace(signature, sizes=tuple(fixes))
    from ai_edge_litert.interpreter import Interpreter

    details = Interpreter(model_path=str(file)).get_signature_runner(variants[0].name).get_output_details()
    return numbered(signature, fixes[0], [details[spec.name]["shape"] for spec in signature.outputs])


class ToTflite(Converter):
    """An edge to TF Lite, whose files hold a signature for each of the recipe's batch sizes."""

    target = Node(Format.TFLITE, Precision.FP32)
    extra = "convert"

    def recipe_record(self, recipe: Recipe) -> dict[str, Scalar]:
        """The batch sizes, as text."""
        return super().recipe_record(recipe) | {"batch_sizes": ",".join(map(str, sorted(recipe.batch_sizes)))}


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
    inputs = {name: interpreter.get_signature_runner(name).get_input_details() for name in interpreter.get_signature_list()}

    def ranges(*, delegate: bool) -> Any:
        calibrator = Calibrator(str(source), qsv_update_func=min_max_update)
        if not delegate:
            calibrator._tfl_interpreter = _readable(source)
        fit = [name for name, details in inputs.items() if _fits(details, samples, [spec.name for spec in signature.inputs])]
        known = {name: inputs[name] for name in (_affordable(source, fit) if compute_alike(source) else fit)}
        for name, details in known.items():
            # One batch a call: the calibrator makes a list of what it is given, to count it.
            for feed in _feeds(details, _batch_of(name), samples):
                calibrator.calibrate({name: [feed]}, manager)
        found = _for_all(calibrator.get_model_qsvs(), known=list(known), inputs=inputs)
        return found | moved_ranges(source, found)

    try:
        return ranges(delegate=True)
    except ValueError as error:
        if "Tensor data is null" not in str(error):
            raise
        # XNNPACK leaves out what nobody reads, such as a part of a split in the first step of a recurrence; the calibrator asks for it.
        return ranges(delegate=False)


def _readable(source: Path) -> Any:
    """An interpreter without delegates that has all its tensors but those that have no values at all: of a loop what nobody reads."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    class Readable(Interpreter):  # type: ignore[misc]
        def get_tensor_details(self, subgraph_index: int = 0) -> list[dict[str, Any]]:
            return [each for each in super().get_tensor_details(subgraph_index) if self._has_values(each["index"], subgraph_index)]

        def _has_values(self, tensor: int, subgraph: int) -> bool:
            try:
                self.get_tensor(tensor, subgraph)
            except ValueError:
                return False
            return True

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Readable(str(source), experimental_op_resolver_type=plain, experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    return interpreter


def outputs(file: Path, samples: Samples) -> Iterator[dict[str, np.ndarray]]:
    """What `file` gives on whole batches of `samples`, in the signature with the largest batch that they fill."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(file))
    names = [
        name
        for name in sorted(interpreter.get_signature_list(), key=_batch_of)
        if _fits(interpreter.get_signature_runner(name).get_input_details(), samples, samples.inputs)
    ]
    own = max((name for name in names if _batch_of(name) <= len(samples)), key=_batch_of, default=names[0])
    size, runner = _batch_of(own), interpreter.get_signature_runner(own)
    scales = {name: Affine.of(detail["quantization"]) for name, detail in runner.get_output_details().items()}
    for feed in _feeds(runner.get_input_details(), size, samples):
        yield {name: affine.dequantize(array) if (affine := scales[name]) else array for name, array in runner(**feed).items()}


def _batch_of(name: str) -> int:
    """The batch of a signature by its name, ``b32`` or ``b32_h48``; 1 in a file that was written elsewhere."""
    number = name.partition("_")[0].removeprefix("b")
    return int(number) if number.isdecimal() else 1


def _fits(details: Mapping[str, Any], samples: Samples, names: Iterable[str]) -> bool:
    """Whether samples have the sizes of a signature's inputs, whatever its batch."""
    for name in names:
        if (array := samples.inputs.get(name)) is None:
            continue
        axis = samples.axes.get(name, 0)
        row = [int(size) for place, size in enumerate(details[name]["shape"]) if place != axis]
        if row != list(array.shape[1:]):
            return False
    return True


def _affordable(file: Path, names: Sequence[str]) -> list[str]:
    """The signatures whose tensors fit into memory all at once, as a calibrator keeps them, and the one with the smallest batch."""
    graph = read_graph(file)  # That of the smallest batch.
    size = sum(4 * elements(tensor.shape) for tensor in graph.tensors if not tensor.is_constant)
    first = min(map(_batch_of, names), default=1)
    return [name for name in names if _batch_of(name) == first or size * _batch_of(name) // first <= _ALL_TENSORS_BYTES]


def _for_all(ranges: Any, *, known: Sequence[str], inputs: Mapping[str, Mapping[str, Any]]) -> Any:
    """Ranges for all signatures of a file: those without ranges of their own, of other sizes than the samples or too large, have the ranges
    of the same inputs and operators, which were named alike by `name_operators`. The weights and their scales are the same.
    """
    others = [name for name in inputs if name not in known]
    if not others or not known:
        return ranges
    best = max(known, key=_batch_of)
    names = {detail["name"]: key for key, detail in inputs[best].items()}
    found = dict(ranges)
    for name in others:
        for tensor, value in ranges.items():
            if tensor in names:
                found[inputs[name][names[tensor]]["name"]] = value
            elif tensor.startswith(f"{best}/"):
                found[f"{name}/{tensor.removeprefix(f'{best}/')}"] = value
    return found


def _feeds(details: Mapping[str, Any], size: int, samples: Samples) -> Iterator[dict[str, np.ndarray]]:
    """Whole batches of `size` in the dtypes that a signature's inputs have in the file."""
    scales = {name: Affine.of(detail["quantization"]) for name, detail in details.items()}
    for feed in batches(samples, size, exact=True):
        yield {
            key: affine.quantize(array, dtype) if (affine := scales[key]) else array.astype(dtype, copy=False)
            for key, array in feed.items()
            for dtype in (details[key]["dtype"],)
        }
