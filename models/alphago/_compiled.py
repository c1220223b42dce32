"""Compilation of kernels: loops over arrays that Python would be a hundred times too slow for.

Kernels call each other, so they are decorated when their module is imported, and cannot wait for the first call as other optional
imports do. Without numba such modules still import, and a call says what to install.

Machine code is kept on disk. numba knows it by the file of each function alone, although callers have the code and the constants of other
files built in; so it is kept in a folder that is named after the content of all of this package, and an edit of any file compiles anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from toolkit.core import cache_home, mark_used, needs, sources_sha256

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
    from numba import config

    def _kernels() -> Path | None:
        """The folder for the machine code of these sources, in ``NUMBA_CACHE_DIR`` or the toolkit's cache; None where it cannot be made."""
        home = Path(os.environ.get("NUMBA_CACHE_DIR") or cache_home() / "kernels")
        folder = home / sources_sha256(__package__)[:16]
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            return None
        mark_used(folder)
        return folder

    _folder = _kernels()

    def _kept(function: Callable[..., Any], **options: bool) -> Any:
        """`function` as numba compiles it, with `_folder` as its cache; numba decides on a function's when it decorates it.

        Without a folder nothing is kept: numba's own choice, beside the module, would serve old code after an edit.
        """
        before, config.CACHE_DIR = config.CACHE_DIR, str(_folder or "")
        try:
            return njit(function, cache=_folder is not None, nogil=True, **options)
        finally:
            config.CACHE_DIR = before

    compiled = _kept
    inlined = partial(_kept, forceinline=True)
