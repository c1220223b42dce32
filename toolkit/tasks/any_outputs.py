"""Any outputs: what nothing is known of, and what no metric is of, such as the score of a discriminator.

The rules' ratios alone judge them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from toolkit.core import Signature

from .base import Task


class AnyOutputs(Task):
    """Outputs of no known meaning."""

    name = "any"
    title = "Any outputs"
    targets = "none: they are not used"
    agreement = ""
    metrics = ()

    def fits(self, signature: Signature, targets: np.ndarray | None) -> bool:  # noqa: ARG002
        """Never: it is what remains."""
        return False

    def check(self, signature: Signature, targets: np.ndarray, origin: str) -> None:
        """Nothing: no targets are used."""

    def predictions(self, outputs: Mapping[str, np.ndarray]) -> Any:
        """The outputs themselves."""
        return outputs

    def as_targets(self, predictions: Any) -> Any:
        """The outputs themselves."""
        return predictions

    def judged(self, signature: Signature) -> tuple[str, ...]:  # noqa: ARG002
        """None."""
        return ()
