"""Compilation of kernels: loops over arrays that Python would be a hundred times too slow for.

Kernels call each other, so they are decorated when their module is imported, and cannot wait for the first call as other optional
imports do. Without numba such modules still import, and a call says what to install.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from toolkit.core import needs

compiled: Any
"""Decorator: machine code at the first call, kept on disk, which runs without the GIL."""
inlined: Any
"""The same, put into its callers."""

try:
    from numba import njit
except ModuleNotFoundError as error:
    _missing = error

    class _Refusal:
        """In place of a function: every call raises `MissingDependencyError`."""

        def __init__(self, function: Callable[..., Any]) -> None:
            self.py_func = function  # As numba's own has it.

        def __call__(self, *_: object) -> None:
            with needs("go"):
                raise _missing

    compiled = inlined = _Refusal
else:
    compiled = njit(cache=True, nogil=True)
    inlined = njit(cache=True, nogil=True, forceinline=True)
