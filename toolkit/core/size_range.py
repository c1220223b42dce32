"""The sizes between which a free dimension is to be right."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SizeRange:
    """Bounds of a free dimension.

    Args:
        symbol: its name.
        low: the smallest size.
        high: the largest size.
        step: sizes are `low` and multiples of this above it.
    """

    symbol: str
    low: int
    high: int
    step: int = 1

    def __str__(self) -> str:
        return f"{self.symbol}={self.low}:{self.high}:{self.step}"

    @property
    def ends(self) -> tuple[int, ...]:
        """The smallest size, one in the middle and the largest, each once."""
        middle = self.low + (self.high - self.low) // 2 // self.step * self.step
        return tuple(dict.fromkeys((self.low, middle, self.low + (self.high - self.low) // self.step * self.step)))
