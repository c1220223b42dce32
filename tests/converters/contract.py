"""What every converter must do. A new one is tested by adding its file: `test_contract.py` runs this over all that are discovered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from toolkit.converters.base import Converter, Recipe
from toolkit.converters.recipes import Choices
from toolkit.core import MANIFEST, Artifact, DataError, InputError, Precision, ToolkitError, new_folder, sha256_of


def check_converter(converter: Converter, source: Artifact, recipe: Recipe, folder: Path, *, before: Artifact | None = None) -> None:
    """Run `converter` on `source`, well and badly, below the empty `folder`.

    Args:
        converter: the one under test.
        source: an artifact of its source kind.
        recipe: with calibration samples that fit.
        folder: empty; is empty of everything but results at the end.
        before: what it has made of the same source in another process, with a recipe that says nothing of choices; None to make it here.
    """
    first = before or converter.convert(source, folder / "first", recipe)
    assert (first.manifest.edge, first.manifest.parent) == (converter.name, source.manifest.content_sha256)
    aloud = Choices(**{name: values[0] for name, values in converter.choices.items()})  # type: ignore[arg-type]
    again = converter.convert(source, folder / "again", replace(recipe, choices=aloud))
    _check_result(converter, source, again)
    assert again.manifest.content_sha256 == first.manifest.content_sha256, "the same input and the default said aloud gave other bytes"
    source.verify_files()  # A library may write into the file that it reads.
    _check_refusals(converter, source, recipe, folder)
    assert sorted(path.name for path in folder.iterdir()) == (["again"] if before else ["again", "first"]), "something was left behind"


def _check_result(converter: Converter, source: Artifact, result: Artifact) -> None:
    manifest = Artifact.load(result.path).manifest
    assert (manifest.format, manifest.precision) == (converter.target.format, converter.target.precision)
    written = [path for path in result.path.rglob("*") if path.is_file()]
    assert set(manifest.files) == {path.relative_to(result.path).as_posix() for path in written} - {MANIFEST}
    assert manifest.parent == source.manifest.content_sha256
    assert manifest.root == (source.manifest.root or source.manifest.content_sha256)
    assert manifest.edge == converter.name
    assert manifest.signature == source.manifest.signature
    assert manifest.labels == source.manifest.labels
    assert set(manifest.versions) == set(converter.distributions)
    assert (manifest.calibration is not None) == converter.is_calibrated
    operators = manifest.operators
    assert operators is not None
    assert operators.total == sum(operators.by_type.values()) > 0
    assert (operators.quantized > 0) == converter.target.precision.is_quantized
    for file in written:
        assert str(Path(__file__).parents[2]).encode() not in file.read_bytes(), f"{file.name} holds a path of this machine"


def _check_refusals(converter: Converter, source: Artifact, recipe: Recipe, folder: Path) -> None:
    out = folder / "refused"
    other = Precision.FP16 if source.manifest.precision is not Precision.FP16 else Precision.FP32
    with pytest.raises(InputError, match=converter.name):
        converter.convert(replace(source, manifest=replace(source.manifest, precision=other)), out, recipe)
    if converter.is_calibrated:
        assert recipe.calibration is not None
        with pytest.raises(DataError, match="needs calibration"):
            converter.convert(source, out, replace(recipe, calibration=None))
        flat = {name: array.reshape(len(array), -1)[:, :3] for name, array in recipe.calibration.inputs.items()}
        with pytest.raises(DataError, match="do not fit"):
            converter.convert(source, out, replace(recipe, calibration=replace(recipe.calibration, inputs=flat)))
        with pytest.raises(DataError, match="empty"):
            converter.convert(source, out, replace(recipe, calibration=recipe.calibration.rows(slice(0, 0))))
    if converter.target.precision is not Precision.BF16:  # That edge copies the files without reading them.
        with pytest.raises(ToolkitError) as caught:
            converter.convert(truncated(source, folder.with_name("truncated")), out, recipe)
        assert "\n" not in str(caught.value)


def truncated(source: Artifact, folder: Path) -> Artifact:
    """The artifact with half a model file, and a manifest that believes it."""
    with new_folder(folder) as work:
        for name in source.manifest.files:
            content = (source.path / name).read_bytes()
            (work / name).parent.mkdir(exist_ok=True)
            (work / name).write_bytes(content[: len(content) // 2] if name == source.model_file.name else content)
        manifest = replace(source.manifest, files={name: sha256_of(work / name) for name in source.manifest.files})
        (work / MANIFEST).write_bytes(manifest.to_json())
    return Artifact.load(folder)
