"""What a tracer must be: it opens a model file as a `Trace`, a graph of named tensors that can be run with any of them replaced."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from toolkit.core import Format, Signature

Values = Mapping[str, Sequence[np.ndarray]]
"""By a tensor's name its value in each round."""


@dataclass(frozen=True)
class Step:
    """One tensor that a graph computes.

    Args:
        name: unique in its graph; it keys the values.
        kind: the operator, as the format calls it.
        inputs: the computed tensors and graph inputs that it is computed from.
        weights: the constants that it is computed from, directly or through operators that see constants only.
        module: the path of the module that it belongs to, where the file knows it.
        aliases: other names of the tensor, and the operator's own.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    weights: tuple[str, ...] = ()
    module: str = ""
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cut:
    """A part of a network as a model file of its own.

    Args:
        inputs: what the file takes, by its own names and in its own types.
        expected: what it should give, in its own type.
        lines: three of Python: the imports, and two that open the file and bind ``got`` to its output for the mapping ``inputs``.
        note: what the part could not leave out; empty where it is minimal.
    """

    inputs: dict[str, np.ndarray]
    expected: np.ndarray
    lines: tuple[str, str, str]
    note: str = ""


class Trace(ABC):
    """An open model file. ``inputs`` and ``outputs`` are the names of the graph's own tensors in the signature's order; ``steps`` stand in
    an order in which they can be computed.
    """

    steps: tuple[Step, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    weights: Mapping[str, np.ndarray]

    @abstractmethod
    def run(self, rounds: Sequence[Sequence[np.ndarray]], forced: Values) -> Values:
        """Every step's value in each round by its name, as floats where they are stored as scaled integers.

        Args:
            rounds: in each the inputs in the signature's order; all rounds have the same shapes.
            forced: for some steps the value in each round in place of what the graph computes: what follows is computed from it, while
                the answer holds what the graph itself computed.
        """

    @abstractmethod
    def cut(self, sources: Sequence[str], target: str, values: Mapping[str, np.ndarray], folder: Path) -> Cut:
        """Write the part of the network from `sources` to the step `target` into `folder`.

        Args:
            sources: steps and graph inputs at which the part begins.
            target: the step whose value the part computes.
            values: of each source an example, and of the target what should come out.
            folder: an existing folder.
        """


class Tracer(ABC):
    """How to open a format; ``name`` is the engine's."""

    name: ClassVar[str]
    format: ClassVar[Format]
    extra: ClassVar[str]

    @abstractmethod
    def open(self, file: Path, signature: Signature, batch: int) -> Trace:
        """The trace of `file`; raises `ToolkitError`."""


@dataclass
class Constants:
    """Which tensors come from constants only, and of which constants each tensor is made."""

    names: Iterable[str]
    _made_of: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._made_of = {name: (name,) for name in self.names}

    def fold(self, step: Step) -> Step | None:
        """The step with its constants under ``weights``, or None when it sees nothing else: then it is a constant too."""
        weights = tuple(dict.fromkeys(origin for name in step.inputs for origin in self._made_of.get(name, ())))
        computed = tuple(name for name in step.inputs if name not in self._made_of)
        if not computed and step.inputs:
            self._made_of[step.name] = weights
            return None
        return replace(step, inputs=computed, weights=weights)
