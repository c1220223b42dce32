"""OpenVINO's ``Core``, of which a process has one."""

from __future__ import annotations

import functools
from typing import Any

from toolkit.core import without_telemetry


@functools.cache
def openvino_core() -> Any:
    """The `openvino.Core` of this process, never given up.

    OpenVINO's CPU plug-in has signals handled on memory of its own, and unmaps that when the last network of its ``Core`` goes. Where that
    happens in another thread than it began, or while another ``Core`` is younger, the memory is still in use: the next Ctrl-C or SIGTERM
    ends the process by SIGSEGV (seen with 2026.4).
    """
    without_telemetry()
    import openvino

    return openvino.Core()
