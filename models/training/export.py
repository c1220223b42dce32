"""A network as a self-contained ``.pt2`` artifact, which runs without the code that built it."""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.core import (
    MANIFEST,
    Artifact,
    ConversionError,
    Format,
    InputError,
    Manifest,
    Precision,
    Preprocessing,
    Scalar,
    Signature,
    TensorSpec,
    first_line,
    needs,
    new_folder,
    rename_symbols,
    sha256_of,
    version_of,
)

if TYPE_CHECKING:
    from torch import nn

EDGE = "torch_export"
# With an example batch of 1 the exporter fixes the batch of recurrent and attention layers without a word.
_EXAMPLE_BATCH = 2
_FIXED = re.compile(r"You marked (\w+) as dynamic but your code specialized it to be a constant")
_RANGE = re.compile(r"values of (\w+) = .* satisfy the generated guard (\d+) <= .* and .* <= (\d+|IntInfinity\(\))")


def export_pt2(
    module: nn.Module,
    *,
    signature: Signature,
    out: Path,
    model: str,
    recipe: Mapping[str, Scalar] | None = None,
    labels: tuple[str, ...] = (),
    task: str = "",
    preprocessing: Preprocessing | None = None,
    data: str = "",
    details: Mapping[str, Scalar] | None = None,
    output_names: Sequence[str] = (),
    sizes: Mapping[str, int] | None = None,
    edge: str = EDGE,
) -> Artifact:
    """Write a network on the CPU, in evaluation mode, as the artifact folder `out`, which appears whole or not at all.

    Every symbol of `signature`'s inputs stays free. The module is left in evaluation mode.

    Args:
        output_names: in place of the signature's outputs, whose dtypes and shapes the exported program then says.
        sizes: what each symbol is in the example inputs; as `example_sizes` by default.
        edge: what the manifest says made the file.

    Raises:
        InputError: a weight is NaN or infinite; the tensor is named.
        ConversionError: torch cannot export the network with these free dimensions.
    """
    with needs("train"):
        import torch
    check_finite(module)
    module = module.eval().to(memory_format=torch.contiguous_format)
    file_name = Format.PT2.file_name
    with new_folder(out) as work:
        try:
            with warnings.catch_warnings():
                # A recurrent layer makes its list of weights anew while it is traced, with the same weights.
                warnings.filterwarnings("ignore", message=r"(?s).*_flat_weights.*assigned during export", category=UserWarning)
                program = _program(module, signature, example_inputs(signature, sizes or example_sizes(signature)))
        except Exception as error:
            symbol = _specialized(str(error), signature)
            if symbol:
                raise FixedSizeError(symbol, model) from error
            raise ConversionError(f"torch cannot export '{model}': {_reason(error)}") from error
        _forget_source(program)
        if output_names:
            signature = replace(signature, outputs=_outputs(program, signature, output_names))
        torch.export.save(program, work / file_name)
        manifest = Manifest(
            model=model,
            format=Format.PT2,
            precision=Precision.FP32,
            signature=signature,
            files={file_name: sha256_of(work / file_name)},
            edge=edge,
            recipe=dict(recipe or {}),
            versions={name: version for name in ("torch", "numpy") if (version := version_of(name))},
            labels=labels,
            task=task,
            preprocessing=preprocessing,
            data=data,
            details=dict(details or {}),
        )
        (work / MANIFEST).write_bytes(manifest.to_json())
    return Artifact.load(out)


class FixedSizeError(ConversionError):
    """torch's exporter fixes the size that `symbol` names, as of a recurrent or attention layer."""

    def __init__(self, symbol: str, model: str) -> None:
        super().__init__(f"torch's exporter fixes the size '{symbol}' of '{model}'", hint="give it as a number")
        self.symbol = symbol


def _specialized(message: str, signature: Signature) -> str:
    """The free size of the inputs that torch's message says the network's code makes a constant; empty for none."""
    found = _FIXED.search(message)
    return found[1] if found and found[1] in signature.free else ""


def _reason(error: Exception) -> str:
    """The first line, or where a dimension cannot be free the one that says which."""
    lines = str(error).strip().splitlines()
    return lines[1].strip(" -")[:300] if len(lines) > 1 and lines[0].startswith("Constraints violated") else first_line(error)


def check_finite(module: nn.Module) -> None:
    """Raise `InputError` naming the first weight or buffer that holds NaN or infinity."""
    import torch

    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise InputError(
                f"the weights '{name}' hold NaN or infinity", expected="finite numbers", hint="train again, or load other weights"
            )


def example_sizes(signature: Signature, *, free: int = 3) -> dict[str, int]:
    """What to take for each symbol: 2 where it is the first dimension of an input, else `free` and the numbers after it, so that no two
    symbols can be taken for one.
    """
    first = [signature.rows, *(spec.shape[0] for spec in signature.inputs if spec.has_free_batch)]
    symbols = dict.fromkeys(size for spec in signature.inputs for size in spec.shape if isinstance(size, str))
    others = [symbol for symbol in symbols if symbol not in first]
    return dict.fromkeys(symbols, _EXAMPLE_BATCH) | {symbol: free + index for index, symbol in enumerate(others)}


def example_inputs(signature: Signature, sizes: Mapping[str, int]) -> tuple[Any, ...]:
    """For each input zeros, or the value that it has in all samples, with `sizes` for its symbols."""
    import torch

    shapes = [[size if isinstance(size, int) else sizes[size] for size in spec.shape] for spec in signature.inputs]
    return tuple(
        torch.full(shape, signature.values.get(spec.name, 0), dtype=getattr(torch, spec.dtype))
        for spec, shape in zip(signature.inputs, shapes, strict=True)
    )


def _program(module: nn.Module, signature: Signature, examples: tuple[Any, ...]) -> Any:
    """The exported program, each symbol free in the range that the network allows: its positions may end at 512."""
    import torch

    ranges: dict[str, dict[str, int]] = {}
    deferred = False
    first: Exception | None = None
    while True:
        try:
            free = _free_dimensions(module, signature, ranges)
            return torch.export.export(module, examples, dynamic_shapes=free, prefer_deferred_runtime_asserts_over_guards=deferred)
        except Exception as error:
            first = first or error
            before, ranges = ranges, ranges | _ranges(str(error))
            if ranges == before and (deferred or "Constraints violated" not in str(error)):
                raise first from None
            # What torch can bring into no range, such as multiples of 4, the program itself checks when it runs.
            deferred = deferred or ranges == before


def _ranges(message: str) -> dict[str, dict[str, int]]:
    """The smallest and largest size of each symbol that torch's message says the network takes; 2 is torch's own smallest."""
    found: dict[str, dict[str, int]] = {}
    for symbol, low, high in _RANGE.findall(message):
        found[symbol] = {key: int(value) for key, value in (("min", low), ("max", high)) if value.isdecimal() and value != "2"}
    return found


def _free_dimensions(module: nn.Module, signature: Signature, ranges: Mapping[str, Mapping[str, int]]) -> tuple[Any, ...]:
    from torch.export import Dim

    symbols = {size: Dim(size, **ranges.get(size, {})) for spec in signature.inputs for size in spec.shape if isinstance(size, str)}
    free = tuple({axis: symbols[size] for axis, size in enumerate(spec.shape) if isinstance(size, str)} for spec in signature.inputs)
    kinds = [parameter.kind for parameter in inspect.signature(module.forward).parameters.values()]
    # torch asks for the arguments as they are declared: all that a `*args` takes are one.
    return (free,) if kinds == [inspect.Parameter.VAR_POSITIONAL] else free


def _outputs(program: Any, signature: Signature, names: Sequence[str]) -> tuple[TensorSpec, ...]:
    """The outputs as the exported program knows them, in the symbols of the inputs."""
    nodes = {node.name: node.meta.get("val") for node in program.graph.nodes}
    symbols: dict[str, str] = {}
    for spec, name in zip(signature.inputs, program.graph_signature.user_inputs, strict=True):
        symbols.update({str(size): wanted for size, wanted in zip(nodes[name].shape, spec.shape, strict=True) if isinstance(wanted, str)})

    def size_of(size: Any) -> int | str:
        return size if isinstance(size, int) else rename_symbols(str(size), symbols)

    values = [nodes[name] for name in program.graph_signature.user_outputs]
    return tuple(
        TensorSpec(name, str(value.dtype).removeprefix("torch."), tuple(size_of(size) for size in value.shape))
        for name, value in zip(names, values, strict=True)
    )


def _forget_source(program: Any) -> None:
    """Drop the lines of Python from which each operator came: the same weights then give the same file in any folder."""
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)
