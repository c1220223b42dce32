"""Compilation of kernels: loops over arrays that Python would be a hundred times too slow for.

Kernels call each other, so they are decorated when their module is imported, and cannot wait for the first call as other optional
imports do. Without numba such modules still import, and a call says what to install.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from toolkit.core import needs

try:
    from numba import njit
except ModuleNotFoundError as error:
    _missing = error

    def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
        """Stand in for `function`: every call raises `MissingDependencyError`."""

        def refuse(*_: object) -> None:
            with needs("go"):
                raise _missing

        refuse.__doc__ = function.__doc__
        return refuse

else:
    compiled = njit(cache=True, nogil=True)
