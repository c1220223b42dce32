"""PyTorch with its compiler: runs ``.pt2`` files as machine code that TorchInductor writes for this processor or GPU, ahead of time.

A file is compiled when it is first opened, which takes a C++ compiler and half a minute, and what was made is kept in the cache: for
this file, this version of torch, this machine, this device and this number of threads. Only such a library, made here, is loaded.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from toolkit.core import (
    EngineError,
    Precision,
    ProcessError,
    cache_home,
    make_folder,
    mark_used,
    needs,
    new_folder,
    run_isolated,
    sha256_of,
    sources_sha256,
    this_machine,
)

from ._torch import DEVICES, TorchRuntime, TorchSession, compute_in_fp32, places_of, read_program, signature_of
from .base import Actual, OpenRequest, Session

if TYPE_CHECKING:
    import torch

_LONGEST_S = 1800.0
_PLACES = "outputs.json"
_DEVICES = {torchs: ours for ours, torchs in DEVICES.items()}


class TorchCompiled(TorchRuntime):
    """TorchInductor, ahead of time."""

    name = "torch-compiled"
    for_apps = False

    def missing(self) -> str:
        """As of every engine; and ``without a C++ compiler``."""
        return super().missing() or ("" if shutil.which(_compiler()) else f"without a C++ compiler, '{_compiler()}'")

    def install_command(self) -> str:
        """That of torch, or that of the compiler."""
        if super().missing():
            return super().install_command()
        return "xcode-select --install" if sys.platform == "darwin" else "apt-get install g++"

    def import_engine(self) -> None:
        """Torch, and what loads a compiled program."""
        super().import_engine()
        with needs(self.extra):
            import torch._inductor.package  # noqa: F401

    def _open(self, request: OpenRequest) -> Session:
        import torch
        from torch._inductor.package import load_package

        package = _compiled(request)
        compute_in_fp32(request.device)
        loader = load_package(str(package)).loader
        run, places = loader.run, msgspec.json.decode(package.with_name(_PLACES).read_bytes(), type=list[int])

        def forward(*tensors: torch.Tensor) -> Sequence[torch.Tensor]:
            outputs = run(list(tensors))
            return [outputs[place] for place in places]

        torch.set_num_threads(request.threads)
        device = loader.get_metadata().get("AOTI_DEVICE_KEY", "")
        actual = Actual(
            engine=self.name,
            engine_version=self.version(),
            device=_DEVICES.get(device, device),
            float_type=Precision.FP32,
            threads=torch.get_num_threads(),
            detail=f"{device}, compiled for {request.threads} threads",
        )
        signature = request.signature or signature_of(read_program(request.file, request.device), request.file)
        return TorchSession(forward, None, signature, request, actual)


def _compiler() -> str:
    """What TorchInductor compiles with."""
    return os.environ.get("CXX") or ("clang++" if sys.platform == "darwin" else "g++")


def _key(request: OpenRequest) -> str:
    """The SHA-256 of everything that decides what is compiled."""
    import torch

    machine = this_machine()
    gpu = torch.cuda.get_device_name() if request.device == "gpu" else ""
    compiler = os.path.realpath(shutil.which(_compiler()) or _compiler())  # Mostly a link to a name with the version in it.
    parts = [f"toolkit.formats.parts.{name}" for name in ("pt2_archive", "pt2_plain", "torch_zip")]
    code = sources_sha256(__name__, f"{__package__}._torch", *parts)
    facts = [sha256_of(request.file), torch.__version__, machine.cpu, *machine.instruction_sets, gpu, str(request.threads), compiler, code]
    return hashlib.sha256("\0".join(facts).encode()).hexdigest()


def _compiled(request: OpenRequest) -> Path:
    """The compiled program of a file, made in a process of its own where the cache has none."""
    folder = cache_home() / "compiled"
    place = folder / _key(request)
    if (package := place / "model.pt2").is_file():
        mark_used(place)
        return package
    make_folder(folder)
    with new_folder(place) as work:
        task = Task(str(request.file), request.device, request.threads, str(work / package.name))
        # It keeps the headers that it has compiled, which is a third of its time.
        environment = {"TORCHINDUCTOR_CACHE_DIR": str(folder / "headers"), "TORCHINDUCTOR_COMPILE_THREADS": "1"}
        try:
            run_isolated(f"{__name__}:compile_task", task, timeout_s=_LONGEST_S, environment=environment, fresh=True)
        except ProcessError as error:
            raise EngineError(f"torch's compiler cannot compile '{request.file}': {error}", hint="choose the engine torch") from error
    return package


@dataclass(frozen=True)
class Task:
    """The request: the program ``file``, and the package ``out`` that is made of it."""

    file: str
    device: str
    threads: int
    out: str


def compile_task(task: Task) -> None:
    """Compile a program ahead of time, for one device and number of threads."""
    import torch
    from torch._inductor.package import load_package

    torch.set_num_threads(task.threads)
    program = read_program(Path(task.file), task.device)
    with torch.no_grad():
        torch._inductor.aoti_compile_and_package(program, package_path=task.out)
    # Here, where a crash is no one else's: a library of a compiler that does not fit torch's may end the process that loads it.
    load_package(task.out)
    Path(task.out).with_name(_PLACES).write_bytes(msgspec.json.encode(places_of(program)))
