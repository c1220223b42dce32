"""TorchScript archives in torch's own interpreter, as the reference of what is converted from them.

An archive's code runs in that interpreter, which knows nothing of Python; what could touch files or call another library was refused
before. An app gets this engine only when it asks for it by name; every command runs a file in a process of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.core import ArtifactError, Format, InputError, Precision, Signature, TensorSpec, needs
from toolkit.formats import find_format
from toolkit.formats.parts.torchscript_module import example, example_sizes, flat, load_module, reason_of

from ._torch import TorchSession
from .base import Actual, OpenRequest, Runtime, Session


class TorchScriptEngine(Runtime):
    """fp32 on the CPU."""

    name = "torchscript"
    formats = frozenset({Format.TORCHSCRIPT})
    distribution = "torch"
    module = "torch"
    framework = "torch"
    extra = "train"
    for_apps = False

    def devices(self) -> tuple[str, ...]:
        """The CPU, where its outputs are the reference."""
        return ("cpu",)

    def precisions(self, format: Format) -> frozenset[Precision]:  # noqa: ARG002
        """Only fp32: the reference."""
        return frozenset({Precision.FP32})

    def complete(self, file: Path, inputs: Signature) -> Signature:
        """As `Runtime.complete`: run the network with each free dimension changed in turn, and see which sizes of the outputs follow it."""
        find_format(Format.TORCHSCRIPT).check(file)
        with needs(self.extra):
            module = load_module(file)
        return _completed(module, inputs, file)

    def _open(self, request: OpenRequest) -> Session:
        find_format(Format.TORCHSCRIPT).check(request.file)
        if request.signature is None:
            hint = "convert it with --input NAME:DTYPE[dims] for each, or open an artifact's folder"
            raise ArtifactError(f"'{request.file}' does not say what its inputs are", expected="a manifest beside it", hint=hint)
        import torch

        module = load_module(request.file)
        torch.set_num_threads(request.threads)
        actual = Actual(
            engine=self.name,
            engine_version=self.version(),
            device="cpu",
            float_type=Precision.FP32,
            threads=torch.get_num_threads(),
            detail="cpu, threads are set for the whole process",
        )
        return TorchSession(lambda *tensors: flat(module(*tensors)), None, request.signature, request, actual)


def _completed(module: Any, inputs: Signature, file: Path) -> Signature:
    import torch

    arguments = [argument.name for argument in module.forward.schema.arguments[1:]]
    names = [spec.name for spec in inputs.inputs]
    if len(names) > len(arguments) or (set(names) <= set(arguments) and names != arguments[: len(names)]):
        raise InputError(
            f"'{file.name}' takes other inputs", expected=f"--input for {', '.join(arguments)}, in order", got=", ".join(names)
        )

    def run(sizes: Mapping[str, int]) -> list[torch.Tensor]:
        with torch.no_grad():
            return flat(module(*example(inputs, sizes)))

    sizes = example_sizes(module, inputs)
    first = run(sizes)
    changed: dict[str, list[torch.Tensor]] = {}
    for symbol, size in sizes.items():
        try:
            changed[symbol] = run({**sizes, symbol: 2 * size})
        except InputError:
            raise
        except Exception as error:
            problem = f"'{file.name}' takes {symbol}={size} and not {2 * size}: {reason_of(error)}"
            raise InputError(problem, hint=f"give {symbol} as a number in --input") from error
    if any([len(tensor.shape) for tensor in found] != [len(tensor.shape) for tensor in first] for found in changed.values()):
        raise InputError(f"'{file.name}' has other outputs for other sizes", expected="as many, of as many axes", hint="fix the sizes")
    taken = set(names)
    specs = []
    for place, tensor in enumerate(first):
        name = "output" if len(first) == 1 else f"output_{place}"
        while name in taken:
            name += "_out"
        taken.add(name)
        shape = [_size(axis, [found[place].shape for found in (first, *changed.values())], sizes, name) for axis in range(tensor.ndim)]
        specs.append(TensorSpec(name, str(tensor.dtype).removeprefix("torch."), tuple(shape)))
    return Signature(inputs.inputs, tuple(specs))


def _size(axis: int, shapes: Sequence[Sequence[int]], sizes: Mapping[str, int], name: str) -> int | str:
    """A size of an output: a number, the free dimension that it is, ``8*batch``, or a name of its own where it follows in another way.

    ``shapes`` are the output's with all of `sizes`, then with each of them doubled in turn.
    """
    before, *after = [int(shape[axis]) for shape in shapes]
    moving = [symbol for symbol, size in zip(sizes, after, strict=True) if size != before]
    if not moving:
        return before
    if len(moving) == 1 and before % sizes[moving[0]] == 0 and max(after) == 2 * before:
        factor = before // sizes[moving[0]]
        return moving[0] if factor == 1 else f"{factor}*{moving[0]}"
    return f"{name}_{axis}"
