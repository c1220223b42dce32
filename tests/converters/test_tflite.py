"""What AI Edge Quantizer gets of a TF Lite file."""

from __future__ import annotations

import numpy as np
import pytest

from tests.converters.nets import digits
from toolkit.converters import tflite
from toolkit.converters.base import Node
from toolkit.core import Artifact, Format, Precision


def test_ranges_of_a_batch_that_is_too_large_for_memory_are_those_of_the_smallest(
    made: dict[Node, Artifact], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All tensors of a detector's 32 pictures took more than 19 GB."""
    from ai_edge_quantizer import recipe

    source, samples = made[Node(Format.TFLITE, Precision.FP32)], digits()[0]

    def ranges() -> dict[str, dict[str, np.ndarray]]:
        found: dict[str, dict[str, np.ndarray]] = tflite.calibrate(
            source.model_file, recipe.static_wi8_ai8(), samples, source.manifest.signature
        )
        return found

    known = ranges()
    monkeypatch.setattr(tflite, "_ALL_TENSORS_BYTES", 0)
    found = ranges()
    assert {name.partition("/")[0] for name in found} >= {"b1", "b32"}
    assert found.keys() == known.keys()
    for name, each in known.items():
        for end in ("min", "max"):
            np.testing.assert_allclose(found[name][end], each[end], rtol=1e-5, atol=1e-6)
