"""PyTorch: runs ``.pt2`` files, the exported programs that every other format is compared with, as plain Python over their operators."""

from __future__ import annotations

from typing import Any

from toolkit.core import Precision
from toolkit.formats.parts.pt2_plain import keep_tensors

from ._torch import DEVICES, TorchRuntime, TorchSession, read_program, signature_of
from .base import Actual, OpenRequest, Session


class Torch(TorchRuntime):
    """The reference framework."""

    name = "torch"

    def _open(self, request: OpenRequest) -> Session:
        import torch

        program = read_program(request.file, request.device)
        signature = request.signature or signature_of(program, request.file)
        module = program.module(check_guards=False).requires_grad_(requires_grad=False)
        # Without the tree of containers around inputs and outputs, and without the wrapper of `__call__`, a call is half as long.
        module.graph.set_codegen(torch.fx.graph.CodeGen())
        keep_tensors(module.graph)
        module.recompile()
        torch.set_num_threads(request.threads)
        parameter = next(module.parameters(), None)
        actual = Actual(
            engine=self.name,
            engine_version=self.version(),
            device="gpu" if (request.device == "gpu" if parameter is None else parameter.is_cuda) else "cpu",
            float_type=Precision.FP32,
            threads=torch.get_num_threads(),
            detail=f"{DEVICES[request.device]}, threads are set for the whole process",
        )
        return TorchSession(module.forward, _tensors_of(module), signature, request, actual)


def _tensors_of(module: Any) -> list[Any]:
    """Weights, buffers and constants that a module and its parts hold."""
    parts = [(*part.parameters(recurse=False), *part.buffers(recurse=False), *vars(part).values()) for part in module.modules()]
    return [value for values in parts for value in values if hasattr(value, "untyped_storage")]
