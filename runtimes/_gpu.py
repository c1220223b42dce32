"""A GPU as an engine finds it, and the rule that nobody gets one in software unasked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Gpu:
    """``name`` is the driver's; ``is_software`` where a processor does the work; ``index`` is its number among several."""

    name: str
    is_software: bool
    index: int = 0

    def __str__(self) -> str:
        return f"{self.name}, software" if self.is_software else self.name


def devices_with(gpu: Gpu | None) -> tuple[str, ...]:
    """The devices of an engine that runs on the processor and on `gpu`: the preferred one first, so one in software last."""
    if gpu is None:
        return ("cpu",)
    return ("cpu", "gpu") if gpu.is_software else ("gpu", "cpu")
