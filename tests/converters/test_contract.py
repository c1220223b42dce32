from __future__ import annotations

from pathlib import Path

import pytest

from tests.converters.contract import check_converter
from tests.own_process import needs_tensorflow
from toolkit.converters.base import Converter, Node, Recipe
from toolkit.converters.planner import all_converters
from toolkit.core import Artifact

CASES = [
    pytest.param(converter, id=converter.name, marks=[pytest.mark.tensorflow] if needs_tensorflow(converter.distributions) else [])
    for converter in all_converters()
]


@pytest.mark.parametrize("converter", CASES)
def test_converter_keeps_the_contract(converter: Converter, made: dict[Node, Artifact], recipe: Recipe, tmp_path: Path) -> None:
    check_converter(converter, made[converter.source], recipe, tmp_path / "work")


def test_names_and_edges_are_unique() -> None:
    converters = all_converters()
    assert len({converter.name for converter in converters}) == len(converters)
    assert len({(converter.source, converter.target) for converter in converters}) == len(converters)
