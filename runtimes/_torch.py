"""What the engines that run ``.pt2`` files with torch share.

The archive is checked first (`toolkit.formats.parts.pt2_archive`), because torch's own loader may run what a stranger's file says, and the
guards in it, which are Python source, are never compiled. The number of threads is one setting of the whole process in torch: each call
sets it again where another session changed it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from toolkit.core import EngineError, Format, Precision, Signature, TensorSpec, needs, rename_symbols
from toolkit.formats.parts.pt2_plain import plain_pt2, torch_reads

from .base import Actual, Call, OpenRequest, Runtime, Session

if TYPE_CHECKING:
    import torch

DEVICES = {"cpu": "cpu", "gpu": "cuda"}
"""What torch calls a device."""


class TorchRuntime(Runtime):
    """Exported programs in fp32, on the CPU or on a GPU of NVIDIA's."""

    formats = frozenset({Format.PT2})
    distribution = "torch"
    module = "torch"
    extra = "train"
    framework = "torch"
    repairs: ClassVar = {
        "gpu": "for an NVIDIA GPU with its driver, run: pip install --force-reinstall torch, whose build on PyPI for Linux has CUDA"
    }

    def devices(self) -> tuple[str, ...]:
        """The CPU, and before it a GPU that torch can use."""
        with needs(self.extra):
            return _devices()

    def precisions(self, format: Format) -> frozenset[Precision]:  # noqa: ARG002
        """Only fp32: the reference."""
        return frozenset({Precision.FP32})


@cache
def _devices() -> tuple[str, ...]:
    import torch

    return ("gpu", "cpu") if torch.cuda.is_available() else ("cpu",)


def read_program(file: Path, device: str) -> Any:
    """The `torch.export.ExportedProgram` in a file, with its weights on a device: cpu or gpu."""
    import torch
    from torch.export.passes import move_to_device_pass

    compute_in_fp32(device)
    plain = plain_pt2(file)
    with torch_reads():
        program = torch.export.load(plain)
    return program if device == "cpu" else move_to_device_pass(program, DEVICES[device])


def compute_in_fp32(device: str) -> None:
    """Let this process compute products of float32 numbers on a GPU with 23 bits of precision: torch's own way for convolutions and
    recurrent layers, TF32, has 10. It is a setting of the process, which compiled programs look at in each call as well.
    """
    if device == "cpu":
        return
    import torch

    torch.backends.fp32_precision = "ieee"
    # These have values of their own, which the common one does not change.
    torch.backends.cuda.matmul.fp32_precision = "ieee"
    torch.backends.cudnn.conv.fp32_precision = "ieee"
    torch.backends.cudnn.rnn.fp32_precision = "ieee"


class TorchSession(Session):
    """A function of tensors. ``held`` are the tensors that an output could be; None where that is not known, so that each is copied."""

    def __init__(
        self,
        forward: Callable[..., Sequence[torch.Tensor]],
        held: Sequence[torch.Tensor] | None,
        signature: Signature,
        request: OpenRequest,
        actual: Actual,
    ) -> None:
        import torch

        self._torch = torch
        self._device = None if request.device == "cpu" else torch.device(DEVICES[request.device])
        self._threads = request.threads
        self._get_threads = torch.get_num_threads
        self._buffers: list[np.ndarray] = []
        self._tensors: list[torch.Tensor] = []
        self._fresh: bool | None = None
        self._forward: Any = forward
        self._held = held
        super().__init__(signature, actual)

    def _bind(self, array: np.ndarray) -> Call:
        self._set_inputs([array])
        if self._device is not None:
            return super()._bind(array)
        outputs = self._run([array])
        if not (self._fresh and len(outputs) == 1):
            return super()._bind(array)
        get_threads, threads, forward = self._get_threads, self._threads, self._forward
        (buffer,), (tensor,) = self._buffers, self._tensors

        def call(array: np.ndarray) -> Iterable[np.ndarray]:
            if get_threads() != threads:
                self._torch.set_num_threads(threads)
            buffer[...] = array
            return (forward(tensor)[0].numpy(),)

        return call

    def _run(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        if self._get_threads() != self._threads:
            self._torch.set_num_threads(self._threads)
        if [array.shape for array in arrays] != [buffer.shape for buffer in self._buffers]:
            self._set_inputs(arrays)
        for buffer, array in zip(self._buffers, arrays, strict=True):
            buffer[...] = array
        if self._device is not None:
            results = self._forward(*[tensor.to(self._device) for tensor in self._tensors])
            return [tensor.cpu().numpy().copy() for tensor in results]
        results = self._forward(*self._tensors)
        if self._fresh is None:
            self._fresh = self._are_fresh(results)
        return [tensor.numpy() if self._fresh else tensor.numpy().copy() for tensor in results]

    def _are_fresh(self, results: Sequence[torch.Tensor]) -> bool:
        """Whether each output has memory of its own, so that it can be the caller's; for one shape this never changes."""
        if self._held is None:
            return False
        held = [tensor.untyped_storage().data_ptr() for tensor in (*results, *self._tensors, *self._held)]
        own = held[: len(results)]
        return all(held.count(pointer) == 1 for pointer in own) and all(tensor.is_contiguous() for tensor in results)

    def _set_inputs(self, arrays: list[np.ndarray]) -> None:
        self._fresh = None
        self._buffers = [np.empty(array.shape, array.dtype) for array in arrays]
        # Wrapping an array costs about a microsecond, and these wrappers see every later input.
        self._tensors = [self._torch.from_numpy(buffer) for buffer in self._buffers]

    def _close(self) -> None:
        self._forward, self._buffers, self._tensors, self._held = None, [], [], None


def signature_of(program: Any, file: Path) -> Signature:
    """Names and shapes as the program knows them; the first free dimension of an input is called batch wherever it occurs.

    An output has the name of its field where the network returns fields, else that of the operator that makes it, with ``_out`` where
    an input has that name, and with a number where another output has it. Constants among inputs and outputs are left out: tracing has
    fixed them.
    """
    nodes = {node.name: node for node in program.graph.nodes}
    symbols: dict[str, str] = {}
    taken: set[str] = set()

    def spec(node: str, name: str) -> TensorSpec:
        value: Any = nodes[node].meta.get("val") if node in nodes else None
        if not hasattr(value, "shape"):
            raise EngineError(f"'{file}' has '{name}', which is no tensor", expected="tensors as inputs and outputs")
        sizes = tuple(size if isinstance(size, int) else _symbol(str(size), axis, symbols) for axis, size in enumerate(value.shape))
        unique = next(word for word in _numbered(name) if word not in taken)
        taken.add(unique)
        return TensorSpec(unique, str(value.dtype).removeprefix("torch."), sizes)

    signature = program.graph_signature
    inputs = tuple(spec(each.arg.name, each.arg.name) for each in signature.input_specs if _is_users(each))
    outputs = _outputs_of(program)
    named = zip(outputs, _fields(program.call_spec.out_spec, len(outputs)), strict=True)
    given = {each.name for each in inputs}
    outputs_named = [(each, field or each.arg.name) for each, field in named if _is_users(each)]
    return Signature(inputs, tuple(spec(each.arg.name, f"{name}_out" if name in given else name) for each, name in outputs_named))


def places_of(program: Any) -> list[int]:
    """Where among what a program returns its outputs are; the others are constants, which tracing has fixed."""
    return [place for place, each in enumerate(_outputs_of(program)) if _is_users(each)]


def _outputs_of(program: Any) -> list[Any]:
    return [each for each in program.graph_signature.output_specs if each.kind.name == "USER_OUTPUT"]


def _is_users(spec: Any) -> bool:
    return spec.kind.name in {"USER_INPUT", "USER_OUTPUT"} and not hasattr(spec.arg, "value")


def _symbol(size: str, axis: int, symbols: dict[str, str]) -> str:
    """The name of a free dimension; one that is computed, such as ``8*batch``, keeps its formula."""
    if size.isidentifier():
        name = "batch" if axis == 0 else f"dim_{axis}"
        return symbols.setdefault(size, next(word for word in _numbered(name) if word not in symbols.values()))
    return rename_symbols(size, symbols)


def _numbered(name: str) -> Iterator[str]:
    return (f"{name}_{number}" if number else name for number in itertools.count())


def _fields(tree: Any, count: int) -> list[str]:
    """The path to each output through the fields and places of what a network returns; empty where there is no field on the way."""
    from torch.utils import _pytree as pytree

    paths = [path for path, _ in pytree.tree_flatten_with_path(pytree.tree_unflatten(range(count), tree))[0]]
    keys = [[getattr(step, "key", getattr(step, "idx", "")) for step in path] for path in paths]
    return [".".join(re.sub(r"\W+", "_", str(key)) for key in path) if any(isinstance(key, str) for key in path) else "" for path in keys]
