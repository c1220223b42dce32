"""The page of a comparison of layers: its axis and its cells."""

from __future__ import annotations

import re

import pytest

from toolkit.pipeline.debug.finding import Finding, Layer
from toolkit.pipeline.debug.page import render


def page(*names: str) -> str:
    """Of layers whose own error is 0 but for the first."""
    layers = [
        Layer(name, "conv", "r", "c", "Conv", "name", 1e-3, 60.0, *((1e-3, 60.0) if place == 0 else (0.0, 200.0)), diverges=False)
        for place, name in enumerate(names)
    ]
    return render(Finding("net", "pt2-fp32", "onnx-fp32", "fp32", "a rule", "4 rows", tuple(layers), (), (), ()))


@pytest.mark.parametrize(
    ("names", "ticks"),
    [(("0", "3", "7"), ["0", "3", "7"]), (("body.0.conv", "body.3.conv", "body.7.conv"), ["1", "2", "3"])],
)
def test_short_names_of_layers_stand_on_the_axis(names: tuple[str, ...], ticks: list[str]) -> None:
    """It counted the layers that are compared, beside names that are other numbers."""
    words = re.findall(r">([^<>]+)</text>", page(*names))
    assert words[:3] == ticks


def test_what_is_exact_is_called_so() -> None:
    """It was 0.0e+00, and 200.0 dB, which is where the ratio is cut."""
    found = page("0", "3", "7")
    assert "0.0e+00" not in found
    assert "200.0" not in found
    assert found.count("<td>0</td><td>exact</td>") == 2


def test_the_caption_speaks_only_of_what_is_drawn() -> None:
    """It explained where an exact layer is drawn on pages that have none."""
    assert "drawn at 1e-8" not in page("0")
    assert "drawn at 1e-8" in page("0", "3")
