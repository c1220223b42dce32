"""Weights from a file into a network, without running what the file says."""

from __future__ import annotations

import pickle
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.core import Artifact, ArtifactError, Format, InputError, first_line, memory_limit, needs, run_isolated
from toolkit.formats import find_format
from toolkit.formats.parts.pt2_plain import plain_pt2, torch_reads

if TYPE_CHECKING:
    from torch import Tensor, nn

_WRAPPERS = ("state_dict", "model_state_dict", "model")


def load_weights(module: nn.Module, file: Path) -> None:
    """Load a ``.safetensors``, ``.pt`` or ``.pth`` file of tensors by name.

    A ``.pt`` or ``.pth`` file is a pickle: it is read with ``weights_only``, and refused if that is not enough.

    Raises:
        ArtifactError: the file is missing, damaged, or a pickle of more than tensors.
        InputError: names or shapes are not those of the network; nothing is loaded then.
    """
    if not file.is_file():
        raise ArtifactError(f"no weights '{file}'", expected="a .safetensors, .pt or .pth file")
    with needs("train"):
        weights = _from_safetensors(file) if file.suffix == ".safetensors" else _isolated(file)
    own = module.state_dict()
    missing, unexpected = [name for name in own if name not in weights], [name for name in weights if name not in own]
    if missing or unexpected:
        raise InputError(
            f"'{file}' has other weights than the network",
            expected=f"{len(own)} tensors" + (f" with '{missing[0]}'" if missing else ""),
            got=f"{len(weights)} tensors" + (f" with '{unexpected[0]}'" if unexpected else ""),
            hint="are model, input size and classes the ones it was trained with?",
        )
    for name, tensor in own.items():
        if tensor.shape != weights[name].shape:
            raise InputError(
                f"the weights '{name}' in '{file}' have the wrong shape",
                expected=str(list(tensor.shape)),
                got=str(list(weights[name].shape)),
                hint="are model, input size and classes the ones it was trained with?",
            )
    module.load_state_dict(weights)


def start_from(module: nn.Module, artifact: Artifact, *, freeze: bool = False) -> tuple[str, ...]:
    """Give a network the weights of a trained one, but for its last linear layer, which begins anew.

    Args:
        module: the network to change.
        artifact: a ``.pt2`` of the same architecture; other input sizes and classes are no hindrance where the layers fit.
        freeze: whether what was taken shall not learn any more.

    Returns:
        The names of the tensors that were taken.

    Raises:
        InputError: another format, or no tensor but the last layer's fits.
        ArtifactError: the file could run code, or is damaged.
    """
    if artifact.manifest.format is not Format.PT2:
        raise InputError(f"cannot start from '{artifact.name}'", expected="a trained .pt2 artifact", got=artifact.manifest.format)
    with needs("train"):
        import torch
    known = _isolated(artifact.model_file)
    layers = [name for name, layer in module.named_modules() if isinstance(layer, torch.nn.Linear)]
    head = f"{layers[-1]}." if layers else ""
    own = module.state_dict()
    taken = [
        name for name, tensor in own.items() if name in known and known[name].shape == tensor.shape and not (head and name.startswith(head))
    ]
    if not taken:
        raise InputError(
            f"cannot start from '{artifact.path}': none of its weights fits",
            expected="a trained network of the same model",
            got=artifact.manifest.model,
        )
    module.load_state_dict({name: known[name] for name in taken}, strict=False)
    if freeze:
        for name, parameter in module.named_parameters():
            parameter.requires_grad_(name not in taken)
    return tuple(taken)


@dataclass(frozen=True)
class Copy:
    """The request: a ``file`` that torch reads, and the ``.safetensors`` file that gets its tensors."""

    file: str
    copy: str


def _isolated(file: Path) -> dict[str, Tensor]:
    """The tensors of a file that torch reads, in a process of its own: its reader is native, and the file may be anyone's."""
    with tempfile.TemporaryDirectory(prefix="toolkit-") as folder:
        copy = Path(folder) / "weights.safetensors"
        run_isolated(f"{__name__}:weights_task", Copy(str(file), str(copy)), memory_bytes=memory_limit())
        return _from_safetensors(copy)


def weights_task(task: Copy) -> None:
    """The child's half of `_isolated`: write the tensors of ``file`` to ``copy``."""
    from safetensors.torch import save_file

    file = Path(task.file)
    weights = _from_pt2(file) if file.suffix in find_format(Format.PT2).suffixes else _from_pickle(file)
    # A copy of each: safetensors refuses tensors that share memory or are not contiguous.
    save_file({name: tensor.detach().clone().contiguous() for name, tensor in weights.items()}, task.copy)


def _from_pt2(file: Path) -> dict[str, Tensor]:
    import torch

    plain = plain_pt2(file)
    try:
        with torch_reads():
            weights: dict[str, Tensor] = torch.export.load(plain).state_dict
    except Exception as error:
        raise ArtifactError(f"'{file}' cannot be read: {first_line(error)}", expected="a file written by torch.export.save") from error
    return weights


def _from_safetensors(file: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        weights: dict[str, Tensor] = load_file(file)
    except SafetensorError as error:
        raise ArtifactError(f"'{file}' cannot be read: {error}", expected="a complete safetensors file") from error
    return weights


def _from_pickle(file: Path) -> dict[str, Tensor]:
    import torch

    if file.suffix not in {".pt", ".pth"}:
        raise ArtifactError(f"'{file}' is no weights file", expected=".safetensors, .pt or .pth", got=f"'{file.suffix}'")
    try:
        with warnings.catch_warnings():
            # A pickle of another protocol is read or refused: nobody needs to report it to torch, as its warning asks.
            warnings.filterwarnings("ignore", "Detected pickle protocol", UserWarning)
            content: Any = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ArtifactError(
            f"'{file}' is refused, it holds more than tensors and could run code",
            expected="a state_dict",
            hint="save it again with safetensors, or with torch.save(module.state_dict(), file)",
        ) from error
    except Exception as error:  # A damaged file can raise anything.
        raise ArtifactError(f"'{file}' cannot be read: {first_line(error)}", expected="a complete file written by torch.save") from error
    for key in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not all(isinstance(name, str) and torch.is_tensor(value) for name, value in content.items()):
        raise ArtifactError(f"'{file}' holds no weights", expected="tensors by name, a state_dict", got=type(content).__name__)
    return dict(content)
