"""AI Edge Quantizer on a TF Lite file."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import Affine, ConversionError, Format, InputError, Precision, Samples, Scalar, Signature

from .base import Converter, Node, Recipe
from .batches import batches


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


def check(file: Path, signature: Signature, sizes: Sequence[int] = (), *, integer_io: bool = False) -> None:
    """Compare the inputs and outputs of each signature of a TF Lite file with `signature`, and the signatures with batch `sizes` if given.

    64-bit types may be 32-bit in the file, by a converter's rule, and with `integer_io` what has a scale stands for float32.

    Raises:
        ConversionError: another name or dtype, or a batch size that is missing.
        RuntimeError: the interpreter's own, when it cannot prepare the file.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(file))
    interpreter.allocate_tensors()
    found = list(interpreter.get_signature_list())
    if sizes and sorted(found) != sorted(f"b{size}" for size in sizes):
        raise ConversionError("TF Lite has other signatures", expected=", ".join(f"b{size}" for size in sizes), got=", ".join(found))
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


def name_operators(file: Path) -> None:
    """Name what each operator gives after the operator: ``<signature>/<kind>_<number>``, the same in every signature.

    The converters' own names say neither, and one name may belong to other operators in another signature.
    """
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_quantizer.utils import tfl_flatbuffer_utils

    model = tfl_flatbuffer_utils.read_model(str(file))
    kinds = {value: name.lower() for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    own = {signature.subgraphIndex: signature.signatureKey.decode() for signature in model.signatureDefs or []}
    for index, graph in enumerate(model.subgraphs):
        seen: Counter[str] = Counter()
        for operator in graph.operators:
            code = model.operatorCodes[operator.opcodeIndex]
            kind = kinds.get(max(code.builtinCode, code.deprecatedBuiltinCode), "custom")
            for place, tensor in enumerate(operator.outputs):
                name = f"{own.get(index, index)}/{kind}_{seen[kind]}" + (f".{place}" if place else "")
                graph.tensors[tensor].name = name.encode()
            seen[kind] += 1
    tfl_flatbuffer_utils.write_model(model, str(file))


def copy_shared_outputs(file: Path, target: Path) -> Path:
    """`file`; or `target`, where it is written with a copy of each float output that an operator reads too, or that is returned twice.

    AI Edge Quantizer wires those wrongly: they come back as integers, or the last operator gets floats in place of its integers.
    """
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_quantizer.utils import tfl_flatbuffer_utils

    model = tfl_flatbuffer_utils.read_model(str(file))
    copies = 0
    for definition in model.signatureDefs or []:
        graph = model.subgraphs[definition.subgraphIndex]
        made = {tensor for operator in graph.operators for tensor in operator.outputs}
        taken = {tensor for operator in graph.operators for tensor in operator.inputs}
        for place, entry in enumerate(definition.outputs):
            number = entry.tensorIndex
            if number in taken and number in made and graph.tensors[number].type == schema.TensorType.FLOAT32:
                entry.tensorIndex = _copied(model, graph, number, f"{definition.signatureKey.decode()}/output_{place}")
                copies += 1
            taken.add(number)
    if not copies:
        return file
    tfl_flatbuffer_utils.write_model(model, str(target))
    return target


def _copied(model: Any, graph: Any, number: int, name: str) -> int:
    """Append an operator that copies an output of a graph, which is returned in its place; the number of the copy."""
    from ai_edge_litert import schema_py_generated as schema

    reshape = schema.BuiltinOperator.RESHAPE
    original = graph.tensors[number]
    shape = np.array([] if original.shape is None else original.shape, np.int32)
    model.buffers.append(schema.BufferT(data=shape.view(np.uint8)))
    wanted = schema.TensorT(shape=[len(shape)], type=schema.TensorType.INT32, buffer=len(model.buffers) - 1, name=f"{name}_shape".encode())
    copy = schema.TensorT(
        shape=original.shape,
        shapeSignature=original.shapeSignature,
        type=original.type,
        buffer=0,
        name=name.encode(),
        hasRank=original.hasRank,
    )
    graph.tensors += [wanted, copy]
    model.operatorCodes.append(schema.OperatorCodeT(builtinCode=reshape, deprecatedBuiltinCode=reshape, version=1))
    graph.operators.append(
        schema.OperatorT(
            opcodeIndex=len(model.operatorCodes) - 1,
            inputs=[number, len(graph.tensors) - 2],
            outputs=[len(graph.tensors) - 1],
            builtinOptionsType=schema.BuiltinOptions.ReshapeOptions,
            builtinOptions=schema.ReshapeOptionsT(newShape=shape.tolist()),
        )
    )
    place = list(graph.outputs).index(number)
    graph.outputs[place] = len(graph.tensors) - 1
    return len(graph.tensors) - 1


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


def fixed_sizes(signature: Signature, batch_sizes: Sequence[int]) -> list[int]:
    """The batch sizes of a new file's signatures: those asked for, or the one that the model's signature fixes.

    Raises:
        InputError: another dimension is free, or there is no usable size.
    """
    free = {str(size) for spec in signature.inputs for size in spec.shape[1:] if isinstance(size, str)}
    if free:
        raise InputError("TF Lite needs fixed sizes", expected="a free batch only", got=f"also free: {', '.join(sorted(free))}")
    if not signature.has_free_batch:
        return sorted({int(spec.shape[0]) for spec in signature.inputs if spec.shape and isinstance(spec.shape[0], int)})[:1] or [1]
    if not batch_sizes or min(batch_sizes) < 1:
        raise InputError("batch sizes", expected="at least one, each 1 or more", got=str(list(batch_sizes)))
    return sorted(set(batch_sizes))


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
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
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
            plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            calibrator._tfl_interpreter = Interpreter(
                str(source), experimental_op_resolver_type=plain, experimental_preserve_all_tensors=True
            )
            calibrator._tfl_interpreter.allocate_tensors()
        for name, details in inputs.items():
            # One batch a call: the calibrator makes a list of what it is given, to count it.
            for feed in _feeds(details, int(details[signature.inputs[0].name]["shape"][0]), samples):
                calibrator.calibrate({name: [feed]}, manager)
        return calibrator.get_model_qsvs()

    try:
        return ranges(delegate=True)
    except ValueError as error:
        if "Tensor data is null" not in str(error):
            raise
        # XNNPACK leaves out what nobody reads, such as a part of a split in the first step of a recurrence; the calibrator asks for it.
        return ranges(delegate=False)


def outputs(file: Path, samples: Samples) -> Iterator[dict[str, np.ndarray]]:
    """What `file` gives on whole batches of `samples`, in the signature with the largest batch that they fill."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(file))
    sizes = sorted(int(name.removeprefix("b")) for name in interpreter.get_signature_list())
    size = max((each for each in sizes if each <= len(samples)), default=sizes[0])
    runner = interpreter.get_signature_runner(f"b{size}")
    scales = {name: Affine.of(detail["quantization"]) for name, detail in runner.get_output_details().items()}
    for feed in _feeds(runner.get_input_details(), size, samples):
        yield {name: affine.dequantize(array) if (affine := scales[name]) else array for name, array in runner(**feed).items()}


def _feeds(details: Mapping[str, Any], size: int, samples: Samples) -> Iterator[dict[str, np.ndarray]]:
    """Whole batches of `size` in the dtypes that a signature's inputs have in the file."""
    scales = {name: Affine.of(detail["quantization"]) for name, detail in details.items()}
    for feed in batches(samples, size, exact=True):
        yield {
            key: affine.quantize(array, dtype) if (affine := scales[key]) else array.astype(dtype, copy=False)
            for key, array in feed.items()
            for dtype in (details[key]["dtype"],)
        }
