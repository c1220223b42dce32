"""Networks and samples that a program has in memory, as the files and folders that commands take."""

from __future__ import annotations

import copy
import inspect
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from toolkit.core import (
    Artifact,
    Bundle,
    DataError,
    Format,
    InputError,
    Precision,
    Samples,
    Signature,
    TensorSpec,
    artifact_name,
    cache_home,
    first_line,
    make_folder,
    needs,
)

from .data import Given, as_given
from .data.python import Reading
from .source.resolve import shapes_of
from .source.sizing import Sizing
from .source.user_module import export_module

if TYPE_CHECKING:
    from torch import nn

_BATCH = "batch"


@contextmanager
def named_source(
    model: Any, inputs: Any, *, name: str = "", sizing: Sizing | None = None, shapes: Mapping[str, tuple[int, ...]] | None = None
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What commands call a model, and its inputs as ``--input`` words, while the block lasts.

    Args:
        model: a path or another source of `toolkit convert`, a `Bundle` or `Artifact`, a `torch.nn.Module`, an `ExportedProgram` or a
            Keras model.
        inputs: of a module, example tensors or specs: see `specs_of`. Of ``file.py:name`` and TorchScript specs alone.
        name: what the bundle is called; by default as the class of the module.
        sizing: what the user says of sizes.
        shapes: those of the samples by input, where they are known.

    Raises:
        InputError: a model of another kind, or inputs that it does not take.
        ConversionError: torch cannot export the module.
    """
    if isinstance(model, str | Path):
        yield str(model), tuple(map(str, specs_of(inputs))) if inputs is not None else ()
    elif isinstance(model, Bundle | Artifact):
        yield str(model.path), ()
    else:
        with tempfile.TemporaryDirectory(prefix="toolkit-") as folder:
            yield str(_saved(model, inputs, Path(folder), name, sizing=sizing or Sizing(), shapes=shapes or {})), ()


def _saved(model: Any, inputs: Any, folder: Path, name: str, *, sizing: Sizing, shapes: Mapping[str, tuple[int, ...]]) -> Path:
    kinds = {cls.__module__.partition(".")[0] for cls in type(model).__mro__}
    if type(model).__name__ == "ExportedProgram" and "torch" in kinds:
        with needs("convert"):
            import torch
        file = folder / f"{name or 'network'}.pt2"
        torch.export.save(model, file)
        return file
    if _is_module(model):
        own = name or type(model).__name__
        specs = specs_of(inputs, names=_forward_names(model))
        out = folder / own / artifact_name(Format.PT2, Precision.FP32)
        # A copy: the exporter leaves a module in evaluation mode, and training may go on with this one.
        signature = Signature(specs, (), fixes=sizing.fixes, values=sizing.values)
        return export_module(copy.deepcopy(model).cpu(), signature, out=out, model=own, recipe={}, shapes=shapes).path
    if "keras" in kinds and hasattr(model, "save"):
        file = folder / f"{name or model.name}.keras"
        model.save(file)
        return file
    kinds_taken = "a torch.nn.Module, an ExportedProgram, a Keras model, a path, a Bundle or an Artifact"
    raise InputError("the model", expected=kinds_taken, got=type(model).__name__)


def _is_module(model: Any) -> TypeGuard[nn.Module]:
    return any(cls.__module__.startswith("torch.nn.") and cls.__name__ == "Module" for cls in type(model).__mro__)


def _forward_names(model: nn.Module) -> list[str]:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [name for name, each in inspect.signature(model.forward).parameters.items() if each.kind in kinds]


def specs_of(inputs: Any, *, names: Sequence[str] = ()) -> tuple[TensorSpec, ...]:
    """Input specs.

    Args:
        inputs: ``"image:float32[batch,3,224,224]"`` or `TensorSpec`, one or several; or example tensors, one, several in order, or by name:
            their first dimension is the batch, and free; all other sizes are fixed.
        names: of example tensors in order, for those that have none.

    Raises:
        InputError: no inputs, or anything else.
    """
    if inputs is None:
        raise InputError("the inputs of the model are not known", expected="example tensors, or specs such as 'x:float32[batch,8]'")
    several = dict(inputs) if isinstance(inputs, Mapping) else list(inputs) if isinstance(inputs, list | tuple) else [inputs]
    if isinstance(several, dict):
        return tuple(_spec_of(name, each) for name, each in several.items())
    if not several:
        raise InputError("the inputs of the model", expected="at least one", got="none")
    if len(several) > len(names) and not all(isinstance(each, str | TensorSpec) for each in several):
        wanted = f"{len(names)}: {', '.join(names)}"
        raise InputError("the inputs of the model", expected=wanted, got=f"{len(several)} tensors", hint="give them by name")
    given = [*names, *[""] * len(several)]
    return tuple(_spec_of(name, each) for name, each in zip(given, several, strict=False))


def _spec_of(name: str, value: Any) -> TensorSpec:
    if isinstance(value, TensorSpec):
        return value
    if isinstance(value, str):
        return TensorSpec.parse(value)
    if not hasattr(value, "shape") or not hasattr(value, "dtype"):
        raise InputError(f"input '{name}'", expected="a tensor, or a spec such as 'x:float32[batch,8]'", got=type(value).__name__)
    shape = tuple(int(size) for size in value.shape)
    return TensorSpec(name, str(value.dtype).removeprefix("torch."), (_BATCH, *shape[1:]) if shape else ())


def array_shapes(data: Any) -> dict[str, tuple[int, ...]]:
    """The shapes of arrays by input name; nothing of data of another kind, and of a file what its head says."""
    if isinstance(data, str | Path | Given):
        return shapes_of(str(data) if isinstance(data, Path) else data)
    arrays = data.inputs if isinstance(data, Samples) else data if isinstance(data, Mapping) else {}
    return {str(name): tuple(array.shape) for name, array in arrays.items() if hasattr(array, "shape")}


def named_data(data: Any, signature: Signature) -> Given | None:
    """What ``--data`` would be called: arrays and loaders are written into the user's cache, under a name that their content gives.

    Args:
        data: None; whatever ``--data`` takes; `Samples`; arrays by input name, the targets under ``targets``; a tuple of inputs and
            targets; or an iterable of such samples or batches, such as a torch ``DataLoader``. It must fit into memory: name larger sets as
            ``file.py:load``.
        signature: of the model.

    Raises:
        DataError: nothing in it, or something else than the model's inputs.
    """
    if data is None or isinstance(data, str | Path | Given):
        return as_given(str(data) if isinstance(data, Path) else data)
    whole = isinstance(data, Mapping) and any(signature.rows and signature.batch_axis(spec) != 0 for spec in signature.inputs)
    samples = (
        data
        if isinstance(data, Samples)
        # Loaders give rows first; a state has them on its own axis.
        else Samples({name: np.asarray(array) for name, array in data.items()}, origin="the data")
        if whole
        else _gathered(data, signature)
    )
    file = cache_home() / "samples" / f"data-{samples.sha256[:16]}.npz"
    if not file.is_file():
        make_folder(file.parent)
        samples.save(file)
    return as_given(str(file))


def _gathered(data: Any, signature: Signature) -> Samples:
    batches = list(Reading("the data", signature, Given(word="in memory"), []).batches(data))
    if not batches:
        raise DataError("the data give no samples", hint="give at least one")
    try:
        inputs = {name: np.concatenate([batch.inputs[name] for batch in batches]) for name in batches[0].inputs}
        labelled = [batch.targets for batch in batches if batch.targets is not None]
        targets = np.concatenate(labelled) if labelled else None
    except ValueError as error:
        raise DataError("the data have samples of several shapes", got=first_line(error), hint="pad or crop them") from error
    return Samples(inputs, targets, "the data")
