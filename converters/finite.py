"""Which weights no network can be right with."""

from __future__ import annotations

import numpy as np

from toolkit.core import InputError


def broken(values: np.ndarray) -> int:
    """How many of a weight's values are NaN or infinite.

    Infinities among nothing but zeros do not count: that is the mask of an attention and no weight.
    """
    if not np.issubdtype(values.dtype, np.floating):
        return 0
    infinite = np.isinf(values)
    if infinite.any() and (infinite | (values == 0)).all():
        return 0
    return int((~np.isfinite(values)).sum())


def refuse(name: str, bad: int) -> None:
    """Raise `InputError` for a weight with so many values that are NaN or infinite, if there is one."""
    if bad:
        raise InputError(f"weight '{name}'", expected="finite numbers", got=f"{bad} NaN or infinite values", hint="train the model again")
