"""What a kind of input must tell: how a file becomes the network's input step by step, and which steps apps do otherwise by mistake.

A new kind is one file in this folder with a `Kind`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

import numpy as np

from toolkit.core import Manifest, TensorSpec
from toolkit.pipeline.data._preparation import Preparation

S = TypeVar("S", bound="InputSteps")


@dataclass(frozen=True, kw_only=True)
class InputSteps:
    """How a file becomes an input: what a kind adds to this are the steps, each as the network was trained with unless a mistake changes
    it.
    """

    spec: TensorSpec


@dataclass(frozen=True)
class Change:
    """One mistake.

    Args:
        what: what the app does, and what the network takes.
        mend: the line of Python that does it right.
        fields: the steps that it changes; two changes of one step exclude each other.
    """

    what: str
    mend: str
    fields: dict[str, object] = field(default_factory=dict)

    def applied(self, steps: S) -> S:
        """The steps with this mistake."""
        return replace(steps, **self.fields)  # type: ignore[arg-type]


class Kind(ABC, Generic[S]):
    """A kind of input.

    Args:
        tolerance: how far an array may be from the right one, as a share of its spread: decoders and roundings differ a bit.
        takes: what files, in words.
    """

    name: ClassVar[str]
    tolerance: ClassVar[float]
    takes: ClassVar[str]

    @abstractmethod
    def owns(self, file: Path) -> bool:
        """Whether a file is of this kind, by its name."""

    @abstractmethod
    def right(self, file: Path, manifest: Manifest, preparation: Preparation) -> S:
        """The steps that the network was trained with; raises `DataError` where the manifest and the preparation do not tell them, or the
        file cannot be read.
        """

    @abstractmethod
    def wanted(self, steps: S) -> str:
        """The right steps in words."""

    @abstractmethod
    def array(self, steps: S) -> np.ndarray:
        """What these steps give, without the batch."""

    @abstractmethod
    def changes(self, steps: S) -> Iterator[Change]:
        """The usual mistakes, none of which is as the right `steps` are."""
