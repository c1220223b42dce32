"""What the reference models reached, as ``make matrix`` found it: the file beside this module."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

import msgspec

FILE = "results.json"


@dataclass(frozen=True)
class Cell:
    """One artifact of a model: its parity ``verdict``, or ``missing`` with the reason why there is none; its ``quality`` in the model's
    metric where the samples are labelled; the median of a call with one sample on one thread, in nanoseconds, with its interval.
    """

    artifact: str
    verdict: str
    reason: str
    quality: float | None = None
    size_bytes: int = 0
    latency_ns: float | None = None
    latency_low_ns: float | None = None
    latency_high_ns: float | None = None


@dataclass(frozen=True)
class ModelResult:
    """One trained model: ``quality`` in its ``metric`` on ``samples`` test samples of ``data``, and what it became."""

    model: str
    data: str
    metric: str
    quality: float | None
    samples: int
    parameters: int
    multiply_adds: int
    epochs: int
    seconds: float
    cells: tuple[Cell, ...]
    notes: str = ""


def figure(metric: str, value: float, form: str = ".4f") -> str:
    """A model's quality in words: an accuracy in percent, anything else in this form."""
    return f"{value:.2%}" if metric == "accuracy" else f"{value:{form}}"


def known_results() -> tuple[ModelResult, ...]:
    """Every result that came with this version; none where nobody has measured."""
    file = files("toolkit.models") / FILE
    if not file.is_file():
        return ()
    return msgspec.json.decode(file.read_bytes(), type=tuple[ModelResult, ...])
