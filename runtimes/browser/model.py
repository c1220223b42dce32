"""A model open in JavaScript, by what ``session.js`` offers; where that runs is for others: a page, or a process of Node."""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np


class WebError(Exception):
    """What a script has thrown, or that the page or process is gone."""


@dataclass(frozen=True)
class Port:
    """An input or output as the engine tells it; a free size is a name, which may be empty."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class WebSignature:
    """One of the functions in a file."""

    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


@dataclass(frozen=True)
class _Opened:
    """What a script answers when it has opened a model."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    threads: int
    signatures: tuple[WebSignature, ...]
    placement: str = ""


class WebModel(ABC):
    """``inputs``, ``outputs``, ``threads``, ``signatures`` and, on a GPU, ``placement`` are what the engine tells; ``detail`` is
    where it runs.

    Raises `WebError` where the engine refuses it.
    """

    detail: str

    def __init__(self, model: str, threads: int, device: str = "cpu") -> None:
        opened = msgspec.convert(self._call("openModel", model, threads, device), _Opened)
        self._busy_ns = 0
        self.inputs, self.outputs, self.threads, self.signatures = opened.inputs, opened.outputs, opened.threads, opened.signatures
        self.placement = opened.placement

    def clock(self) -> int:
        """The nanoseconds that the engine has worked, by JavaScript's own clock, whose steps are 5 us in a page."""
        return self._busy_ns

    def run(self, arrays: Sequence[np.ndarray], *, signature: str = "") -> list[np.ndarray]:
        """The outputs for inputs in the file's order; `signature` is one of ``signatures``, the first for none."""
        answer = self._call("runModel", [_encoded(array) for array in arrays], signature)
        self._busy_ns += round(answer["milliseconds"] * 1e6)
        return [_decoded(output) for output in answer["outputs"]]

    def memory_bytes(self) -> int:
        """The memory of WebAssembly, which never shrinks."""
        return int(self._call("memoryBytes"))

    @abstractmethod
    def close(self) -> None:
        """Give back what the model holds."""

    @abstractmethod
    def _call(self, function: str, *arguments: object) -> Any:
        """What a function of ``session.js`` answers; arguments and answer are JSON. Raises `WebError`."""


def _encoded(array: np.ndarray) -> dict[str, object]:
    return {"dtype": array.dtype.name, "shape": array.shape, "data": base64.b64encode(array.tobytes()).decode()}


def _decoded(output: dict[str, Any]) -> np.ndarray:
    # A bytearray, because the caller may write to what is his.
    return np.frombuffer(bytearray(base64.b64decode(output["data"])), output["dtype"]).reshape(output["shape"])
