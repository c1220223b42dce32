"""Integers that stand for real numbers, as quantized files have them at their borders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Affine:
    """``real = scale * (integer - zero_point)`` for a whole tensor (Jacob et al. 2018, equation 1)."""

    scale: float
    zero_point: int

    @classmethod
    def of(cls, parameters: tuple[float, int]) -> Affine | None:
        """That of a scale and a zero point; None for a scale of 0, which says that integers are what they are."""
        return cls(*parameters) if parameters[0] else None

    def quantize(self, real: np.ndarray, dtype: str) -> np.ndarray:
        """The nearest integers of `dtype`, halves to even; what lies outside becomes the smallest or the largest."""
        bounds = np.iinfo(dtype)
        levels: np.ndarray = np.rint(real / np.float32(self.scale)) + self.zero_point
        return levels.clip(bounds.min, bounds.max).astype(dtype)

    def dequantize(self, integers: np.ndarray) -> np.ndarray:
        """The real numbers, float32."""
        real: np.ndarray = (integers.astype(np.float32) - np.float32(self.zero_point)) * np.float32(self.scale)
        return real
