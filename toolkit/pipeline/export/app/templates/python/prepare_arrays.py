"""Nothing is prepared: the network takes arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

SUFFIXES: tuple[str, ...] = ()


def prepare(file: Path, about: dict[str, Any]) -> np.ndarray:  # noqa: ARG001 - as the other kinds have it
    """Raises ValueError."""
    raise ValueError(f"'{file}': the network takes arrays in .npy files")
