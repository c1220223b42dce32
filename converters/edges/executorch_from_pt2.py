"""torch.export archive to ExecuTorch, for XNNPACK's kernels."""

from __future__ import annotations

from toolkit.core import Format, Precision

from ..base import Node
from ..executorch import ToExecutorch


class ExecutorchFromPt2(ToExecutorch):
    """XNNPACK computes what it can, ExecuTorch's portable kernels the rest, all in float32."""

    name = "executorch_from_pt2"
    target = Node(Format.EXECUTORCH, Precision.FP32)
