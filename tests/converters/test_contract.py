from __future__ import annotations

from pathlib import Path

import pytest

from tests.converters import nets
from tests.converters.contract import check_converter
from tests.own_process import needs_tensorflow
from toolkit.converters.base import Converter, Node, Recipe
from toolkit.converters.planner import all_converters
from toolkit.core import Artifact, Format

CASES = [
    pytest.param(converter, id=converter.name, marks=[pytest.mark.tensorflow] if needs_tensorflow(converter.distributions) else [])
    for converter in all_converters()
]


@pytest.mark.parametrize("converter", CASES)
def test_converter_keeps_the_contract(converter: Converter, made: dict[Node, Artifact], recipe: Recipe, tmp_path: Path) -> None:
    source = made[converter.source]
    if Format.TFLITE is converter.source.format is not converter.target.format:
        # A file of the toolkit has a signature for each batch size, and starts no bundle.
        source = Artifact.load(source.path.parent / nets.FOREIGN / source.name)
    # What all tests share is its work already, unless another converter has made that, or of another file.
    before = made.get(converter.target)
    same = before is not None and (before.manifest.edge, before.manifest.parent) == (converter.name, source.manifest.content_sha256)
    check_converter(converter, source, recipe, tmp_path / "work", before=before if same else None)


def test_names_and_edges_are_unique() -> None:
    converters = all_converters()
    assert len({converter.name for converter in converters}) == len(converters)
    first = [converter for converter in converters if not converter.fallback]
    assert len({(converter.source, converter.target) for converter in first}) == len(first)
