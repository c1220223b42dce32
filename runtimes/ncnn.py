"""ncnn: runs ``.param`` with ``.bin``, on the processor and, through Vulkan, on a GPU.

ncnn has no axis for the batch: a session runs one row after the other. It has no types either: an input is integers where it
chooses rows of a table, everything else is float32.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from toolkit.core import ArtifactError, EngineError, Format, Precision, ProcessError, Signature, TensorSpec, memory_limit, run_isolated
from toolkit.formats.ncnn import weights_of
from toolkit.formats.parts.ncnn_param import NcnnGraph, ncnn_name, read_ncnn

from ._gpu import Gpu, devices_with
from ._quiet import quiet
from .base import Actual, OpenRequest, Runtime, Session

_SOFTWARE = 3
"""ncnn's number for a Vulkan device that is a processor: Mesa's llvmpipe, SwiftShader."""
_FLOAT32 = ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_packed", "use_bf16_storage")
"""What must be off so that it computes in float32."""


class Ncnn(Runtime):
    """Tencent's engine for phones."""

    name = "ncnn"
    formats = frozenset({Format.NCNN})
    distribution = "ncnn"
    module = "ncnn"
    extra = "ncnn"
    repairs: ClassVar = {"gpu": "install a Vulkan driver; in software: apt-get install mesa-vulkan-drivers libvulkan1"}

    def devices(self) -> tuple[str, ...]:
        """The GPU first where Vulkan finds one; one in software last, where only who asks for it gets it."""
        self.import_engine()
        return devices_with(next(iter(_gpus()), None))

    def precisions(self, format: Format) -> frozenset[Precision]:  # noqa: ARG002 - one format
        """Weights as float32 or float16; nothing that is installed here makes its int8 files."""
        return frozenset({Precision.FP32, Precision.FP16})

    def _open(self, request: OpenRequest) -> Session:
        graph = read_ncnn(request.file)
        if request.signature is None:
            _try(request.file)
        return NcnnSession(graph, request, self.version())


class NcnnSession(Session):
    """A network with one buffer for each input."""

    def __init__(self, graph: NcnnGraph, request: OpenRequest, version: str) -> None:
        import ncnn

        signature = request.signature or _signature(graph, request.file)
        self._net = ncnn.Net()
        gpu = _load(self._net, graph, request)
        self._given = [_Input(spec, graph) for spec in signature.inputs]
        self._wanted = [(ncnn_name(spec.name), tuple(map(int, spec.shape[1:]))) for spec in signature.outputs]
        missing = {each.name for each in self._given} ^ {*graph.inputs} or {name for name, _ in self._wanted} - {*graph.outputs}
        if missing:
            raise EngineError(f"'{request.file}' has other inputs or outputs than its signature", got=", ".join(sorted(missing)))
        layers = [layer for layer in self._net.layers() if layer.type != "Input"]
        placed = sum(layer.support_vulkan for layer in layers) if self._net.opt.use_vulkan_compute else 0
        rows = "one row at a time"
        super().__init__(
            signature,
            Actual(
                engine="ncnn",
                engine_version=version,
                device="gpu" if placed else "cpu",
                float_type=Precision.FP16 if any(getattr(self._net.opt, name) for name in _FLOAT32) else Precision.FP32,
                threads=self._net.opt.num_threads,
                detail=f"{gpu}; {placed} of {len(layers)} layers there; {rows}" if gpu else rows,
            ),
        )

    def _run(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        rows = len(arrays[0])
        outputs = [np.empty((rows, *shape), np.float32) for _, shape in self._wanted]
        for row in range(rows):
            extractor = self._net.create_extractor()
            for each, array in zip(self._given, arrays, strict=True):
                each.values[...] = array[row]
                extractor.input(each.name, each.blob)
            for output, (name, shape) in zip(outputs, self._wanted, strict=True):
                code, blob = extractor.extract(name)
                found = np.asarray(blob) if code == 0 else np.empty(0)
                if found.size != output[row].size:
                    raise EngineError(f"ncnn gave no '{name}'", expected=f"[{', '.join(map(str, shape))}]", got=f"{list(found.shape)}")
                output[row] = found.reshape(shape)
        return outputs

    def _close(self) -> None:
        self._given = []
        self._net.clear()


class _Input:
    """An input's memory, which is ncnn's own: on its way to a GPU ncnn takes for granted that each channel is aligned."""

    def __init__(self, spec: TensorSpec, graph: NcnnGraph) -> None:
        import ncnn

        self.name = ncnn_name(spec.name)
        shape = tuple(map(int, spec.shape[1:])) or (1,)
        self.blob = ncnn.Mat(*reversed(shape))
        values = np.asarray(self.blob)
        self.values = values.view(np.int32) if self.name in graph.integer_inputs else values


def _gpus() -> list[Gpu]:
    """The devices that Vulkan finds, those in software last."""
    import ncnn

    with quiet(everything=True):  # It prints the features of each.
        found = [(index, ncnn.get_gpu_info(index)) for index in range(ncnn.get_gpu_count())]
    gpus = [Gpu(about.device_name(), about.type() == _SOFTWARE, index) for index, about in found]
    return sorted(gpus, key=lambda gpu: gpu.is_software)


def _load(net: Any, graph: NcnnGraph, request: OpenRequest) -> Gpu | None:
    """Read the files into `net`; the GPU that it uses. Raises `ArtifactError` or `EngineError`."""
    import ncnn

    unknown = sorted({layer.kind for layer in graph.layers if ncnn.layer_to_index(layer.kind) < 0})
    if unknown:
        raise EngineError(f"ncnn has no operators for '{request.file}'", got=", ".join(unknown))
    weights = weights_of(request.file)
    net.opt.num_threads = request.threads
    for name in _FLOAT32:
        setattr(net.opt, name, False)
    gpu = _gpus()[0] if request.device == "gpu" else None
    net.opt.use_vulkan_compute = gpu is not None
    if gpu is not None:
        net.set_vulkan_device(gpu.index)
    with quiet(everything=True):
        if net.load_param(str(request.file)) != 0:
            raise EngineError(f"ncnn refused the layers of '{request.file}'", hint="convert it again")
        if net.load_model(str(weights)) != 0:
            raise ArtifactError(
                f"'{weights}' does not hold the weights of '{request.file.name}'", hint="is the file complete? convert it again"
            )
    return gpu


def _try(file: Path) -> None:
    """Open and run a file without a manifest in a process of its own first: ncnn trusts its numbers, and a wrong one ends the process."""
    try:
        run_isolated(f"{__name__}:try_task", str(file.absolute()), timeout_s=60, memory_bytes=memory_limit())
    except ProcessError as error:
        raise EngineError(f"ncnn crashes on '{file}': {error}", hint="is the file complete? convert it again") from error


def try_task(name: str) -> None:
    """The child's half: one run, on zeros."""
    file = Path(name)
    graph = read_ncnn(file)
    request = OpenRequest(file, Format.NCNN, _signature(graph, file), "cpu", 1, Precision.FP32)
    with NcnnSession(graph, request, "") as session:
        session.run([np.zeros(spec.concrete(1), spec.dtype) for spec in session.signature.inputs])


def _signature(graph: NcnnGraph, file: Path) -> Signature:
    """What the file says of itself; raises `ArtifactError` where that is not enough."""

    def specs(names: tuple[str, ...]) -> tuple[TensorSpec, ...]:
        for name in names:
            if name not in graph.shapes:
                hint = "open the artifact's folder, whose manifest says it"
                raise ArtifactError(f"'{file}' does not say the shape of '{name}'", expected="shapes, as toolkit convert writes", hint=hint)
        return tuple(
            TensorSpec(name, "int32" if name in graph.integer_inputs else "float32", ("batch", *graph.shapes[name])) for name in names
        )

    return Signature(specs(graph.inputs), specs(graph.outputs))
