"""Resident memory of this process, now and at its peak."""

from __future__ import annotations

import contextlib
import re
import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")


def reset_peak() -> None:
    """Let the peak start from the memory in use now, where the system allows it."""
    with contextlib.suppress(OSError):
        _CLEAR_REFS.write_text("5")


def resident_bytes() -> int:
    """The resident memory in use; the peak where the system does not tell."""
    return _from_status("VmRSS") or peak_bytes()


def peak_bytes() -> int:
    """The peak resident memory.

    Linux's own counter comes first, because ``getrusage`` carries the peak of the parent over into its child: a small
    process started by one with torch loaded would seem to need a gigabyte.
    """
    unit = 1 if sys.platform == "darwin" else 1024
    return _from_status("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _from_status(field: str) -> int:
    try:
        found = re.search(rf"^{field}:\s+(\d+) kB", _STATUS.read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0
