"""A user's own network, named as ``path/to/file.py:factory`` or ``package.module:attr``, as a ``.pt2`` artifact.

The named code runs in a process of its own, and only there are its folder's files importable.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from toolkit.core import (
    Artifact,
    ConversionError,
    InputError,
    Scalar,
    Signature,
    TensorSpec,
    ToolkitError,
    needs,
    run_isolated,
    sha256_of,
    words_of,
)
from toolkit.core.free_sizes import sizes_text
from toolkit.core.user_code import CodeName

if TYPE_CHECKING:
    from torch import nn

EDGE = "import"
MODULE = "module"
_OUTPUT = re.compile(r"[\w.-]+")
# Names of functions that do not say which network they make.
_SAYS_NOTHING = {"make", "build", "create", "get", "model", "net", "network", "factory", "main"}
_SAYS_NOTHING |= {f"{verb}_{noun}" for verb in ("make", "build", "create", "get", "load") for noun in ("model", "net", "network")}
# A net of many strides refuses small images, and one of few takes long for large ones.
_FREE_SIZES = (7, 32, 256)


class UserModule(CodeName):
    """Where a network comes from: a ``.py`` file or an importable module, and the name of a `torch.nn.Module` in it, or of something that
    makes one when it is called without arguments.
    """

    @property
    def model(self) -> str:
        """What the model is called: as its class or function, or as the file or module where that name says nothing, such as ``make``."""
        own = self.name.rpartition(".")[2]
        if own not in _SAYS_NOTHING:
            return own
        return Path(self.module).stem if self.is_file else self.module.rpartition(".")[2]

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The module that `text` names, None where it is no such name; raises `InputError` for a ``.py`` file without one."""
        found = super().parse(text)
        file = text.partition(":")[0]
        if found is None and file.endswith(".py"):
            raise InputError(
                f"source '{text}'",
                expected="the name of a network, or of a function that makes one, after the file",
                hint=f"such as {file}:make_model",
            )
        return found


def export_user_module(
    source: UserModule,
    *,
    inputs: Sequence[str],
    out: Path,
    weights: Path | None = None,
    fixes: Sequence[Mapping[str, int]] = (),
    values: Mapping[str, float] | None = None,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    timeout_s: float = 600.0,
) -> Artifact:
    """Import and export the network in a process of its own, into the artifact folder `out`.

    Args:
        source: whose code runs.
        inputs: ``NAME:DTYPE[dims]`` each; a name in place of a size leaves it free.
        out: appears whole or not at all.
        weights: a ``.safetensors`` file, or a ``.pt`` or ``.pth`` of plain tensors.
        fixes: sizes of symbols, one of several; what torch cannot leave free is exported with them.
        values: by input what it is in all samples.
        shapes: those of the samples by input, where they are known.
        timeout_s: the process is stopped after so many seconds.

    Raises:
        InputError: an input spec, the named code or the weights cannot be used.
        ConversionError: torch cannot export the network.
        ProcessError: the code crashed or ran too long.
    """
    check_inputs(inputs)
    if source.is_file and not Path(source.module).is_file():
        raise InputError(f"no file '{source.module}'", expected="a Python file with a network")
    task = Task(
        source,
        str(Path.cwd()),
        tuple(inputs),
        str(weights.absolute()) if weights else None,
        str(out.absolute()),
        tuple(map(dict, fixes)),
        dict(values or {}),
        dict(shapes or {}),
    )
    run_isolated(f"{__name__}:export_task", task, timeout_s=timeout_s)
    return Artifact.load(out)


@dataclass(frozen=True)
class Task:
    """The request: a network of the user's ``folder``, its ``inputs`` as texts, a file of ``weights``, the artifact's folder ``out``; sizes
    and the samples' shapes as `export_user_module` takes them.
    """

    source: UserModule
    folder: str
    inputs: tuple[str, ...]
    weights: str | None
    out: str
    fixes: tuple[dict[str, int], ...]
    values: dict[str, float]
    shapes: dict[str, tuple[int, ...]]


def export_task(task: Task) -> None:
    """The child's half of `export_user_module`."""
    from toolkit.models.training import load_weights

    source = task.source
    with needs("convert"):
        import torch
    torch.manual_seed(0)  # A factory without weights gives the same ones each time.
    module = _load(source, Path(task.folder))
    if task.weights:
        load_weights(module, Path(task.weights))
    inputs = Signature(tuple(TensorSpec.parse(text) for text in task.inputs), ())
    recipe = {MODULE: source.origin}
    if source.is_file:
        recipe["module_sha256"] = sha256_of(Path(task.folder) / source.module)
    if task.weights:
        recipe["weights"] = Path(task.weights).name
    inputs = replace(inputs, fixes=task.fixes, values=task.values)
    network = module.requires_grad_(requires_grad=False)
    export_module(network, inputs, out=Path(task.out), model=source.model, recipe=recipe, shapes=task.shapes)


def export_module(
    module: nn.Module,
    inputs: Signature,
    *,
    out: Path,
    model: str,
    recipe: Mapping[str, Scalar],
    shapes: Mapping[str, tuple[int, ...]] | None = None,
) -> Artifact:
    """A network of any inputs and outputs as the ``.pt2`` artifact folder `out`; it is left in evaluation mode.

    Args:
        module: on the CPU.
        inputs: their specs; every symbol stays free that torch does not fix; those need a size in ``fixes``.
        out: appears whole or not at all.
        model: what it is called.
        recipe: what the manifest keeps of how it was made.
        shapes: those of the samples by input, where they are known.

    Raises:
        InputError: weights that are not finite, or inputs or sizes that the network refuses.
        ConversionError: torch cannot export it, or fixes a size and nobody says at what.
    """
    from toolkit.models.training import export_pt2
    from toolkit.models.training.export import FixedSizeError, check_finite

    check_finite(module)
    known = _known_sizes(inputs, shapes or {})
    names, sizes = _try(module.eval(), inputs, known)
    while True:
        try:
            return export_pt2(
                _flat(module, inputs), signature=inputs, output_names=names, sizes=sizes, out=out, model=model, recipe=recipe, edge=EDGE
            )
        except FixedSizeError as error:
            inputs = _with_fixed(inputs, error.symbol, known, error)


def _known_sizes(inputs: Signature, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    """What the free sizes besides the batch are in the samples, or as they are fixed."""
    pairs = [(spec.shape, shapes[spec.name]) for spec in inputs.inputs if len(shapes.get(spec.name, ())) == len(spec.shape)]
    known = {symbol: size for spec, shape in pairs for symbol, size in zip(spec, shape, strict=True) if symbol in inputs.free}
    return {str(symbol): size for symbol, size in known.items()} | (inputs.fixes[0] if inputs.fixes else {})


def _with_fixed(inputs: Signature, symbol: str, known: Mapping[str, int], error: Exception) -> Signature:
    """The inputs with a size fixed that torch cannot leave free; raises `ConversionError` with the right call where none is said."""
    sizes = sorted({each[symbol] for each in inputs.fixes if symbol in each})
    names = ", ".join(f"'{spec.name}'" for spec in inputs.inputs if symbol in spec.shape)
    if len(sizes) != 1:
        size = known.get(symbol, 16)
        raise ConversionError(
            f"torch's exporter fixes the size '{symbol}' of input {names}, as of a recurrent or attention layer",
            expected=f"one size for '{symbol}'",
            got=", ".join(map(str, sizes)) or "a free one",
            hint=f"go on with --fix {symbol}={size}, or give the number in --input",
        ) from error
    return inputs.fixed({symbol: sizes[0]})


def check_inputs(inputs: Sequence[str]) -> None:
    """Raise `InputError` unless there are specs of inputs whose names differ."""
    if not inputs:
        raise InputError("a network from Python code needs its inputs", hint="add --input NAME:DTYPE[dims] for each, in order")
    names = [TensorSpec.parse(text).name for text in inputs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise InputError(f"input '{twice}' is given twice", expected="one --input for each")


def _load(source: UserModule, folder: Path) -> nn.Module:
    import torch

    value = source.value(folder)
    if not isinstance(value, torch.nn.Module) and callable(value):
        value = source.called(value)
    if not isinstance(value, torch.nn.Module):
        raise InputError(f"'{source}'", expected="a torch.nn.Module, or a function that returns one", got=type(value).__name__)
    return value


def _by_name(module: nn.Module, names: Sequence[str]) -> bool:
    """Whether `forward` takes the inputs by their names; by position where it knows none of them."""
    known = [name for name, each in inspect.signature(module.forward).parameters.items() if each.kind is not each.VAR_POSITIONAL]
    unknown = [name for name in names if name not in known]
    if unknown and len(unknown) < len(names):
        raise InputError(
            f"forward has no input '{unknown[0]}'", expected=f"its own names, {', '.join(known)}, or only other ones, in its order"
        )
    return not unknown


def _try(module: nn.Module, inputs: Signature, known: Mapping[str, int]) -> tuple[list[str], dict[str, int]]:
    """The names of the outputs, and sizes for the free dimensions that the network takes, those that are `known` first."""
    import torch

    from toolkit.models.training.export import example_inputs, example_sizes

    problem: Exception | None = None
    tried = [example_sizes(inputs, free=free) for free in _FREE_SIZES]
    own = {symbol: size for symbol, size in known.items() if size > 1 and symbol in tried[0]}
    for sizes in ([tried[0] | own] if own else []) + ([] if inputs.fixes else tried):
        try:
            with torch.no_grad():
                value = _call(module, inputs, example_inputs(inputs, sizes))
        except ToolkitError:
            raise
        except Exception as error:
            problem = problem or error
            if not inputs.free:
                break  # Only the batch is free: another try would be the same.
            continue
        found = [name for name, _ in _flatten(value)]
        if not found:
            raise InputError("the network returns nothing", expected="tensors, in tuples, lists or dictionaries")
        return _distinct(found, [spec.name for spec in inputs.inputs]), sizes
    assert problem is not None
    at = f" at {sizes_text(known)}" if inputs.fixes else ""
    hint = "fix sizes that it takes" if inputs.fixes else "check --input"
    raise InputError(f"the network refuses its inputs {inputs}{at}: {words_of(problem)}", hint=hint) from problem


def _call(module: nn.Module, inputs: Signature, arrays: Sequence[Any]) -> Any:
    names = [spec.name for spec in inputs.inputs]
    return module(**dict(zip(names, arrays, strict=True))) if _by_name(module, names) else module(*arrays)


def _flatten(value: Any, path: str = "") -> list[tuple[str, Any]]:
    """The tensors of nested tuples, lists and dictionaries, by dotted names: ``logits``, ``states.0``; Python's numbers become tensors."""
    import torch

    if isinstance(value, torch.Tensor):
        return [(path or "output", value)]
    if isinstance(value, bool | int | float):
        return [(path or "output", torch.tensor(value))]
    if value is None:
        return []
    if isinstance(value, Mapping):
        parts = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        parts = list(zip(value._fields, value, strict=True))
    elif isinstance(value, list | tuple):
        parts = [(str(index), item) for index, item in enumerate(value)]
    else:
        raise InputError(
            f"output '{path or 'of the network'}'", expected="tensors, in tuples, lists or dictionaries", got=type(value).__name__
        )
    found = []
    for key, item in parts:
        if not _OUTPUT.fullmatch(key):
            raise InputError(f"output '{key}'", expected="a name of letters, digits, dots and dashes")
        found += _flatten(item, f"{path}.{key}" if path else key if not key.isdecimal() else f"output_{key}")
    return found


def _distinct(names: Sequence[str], taken: Sequence[str]) -> list[str]:
    """The names, with ``_out`` after those that are an input's or another output's: formats have one space of names for both."""
    distinct: list[str] = []
    for name in names:
        free = name
        while free in taken or free in distinct:
            free += "_out"
        distinct.append(free)
    return distinct


def _flat(module: nn.Module, inputs: Signature) -> nn.Module:
    """The network as one of plain tensors in and a tuple of plain tensors out, each with a value of its own."""
    import torch

    class Flat(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.network = module

        def forward(self, *arrays: Any) -> tuple[Any, ...]:
            seen = list(arrays)
            found = []
            for _, value in _flatten(_call(self.network, inputs, arrays)):
                # Formats know a tensor by its name: one that is returned twice, or an input returned, needs a second.
                found.append(value.clone() if any(value is other for other in seen) else value)
                seen.append(value)
            return tuple(found)

    return Flat().eval()
