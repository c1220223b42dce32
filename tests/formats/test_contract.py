"""Every format that is found passes the contract, on files that real programs wrote."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import toolkit.formats
from tests.formats.contract import check_format
from toolkit.core import ArtifactError, Format, InputError, UnknownNameError
from toolkit.formats import all_formats, find_format, format_of, source_formats, trained_names

DATA = Path(__file__).parents[1] / "data"
OWN = {
    Format.KERAS: DATA / "formats" / "model.keras",
    Format.SAVEDMODEL: DATA / "formats" / "savedmodel" / "saved_model.pb",
    Format.TORCHSCRIPT: DATA / "formats" / "torchscript" / "model.ts",
}
FILES = {format: OWN.get(format, DATA / "0.1.0" / "perceptron" / f"{format}-fp32" / format.file_name) for format in Format}
NOISE = np.random.default_rng(0).bytes(4096)
NO_MODELS = (b"", b"hello", b"<html><body>404</body></html>\n", b"%PDF-1.7\n", b"PK\5\6" + bytes(18), b"PK\3\4" + NOISE, NOISE, bytes(4096))


def test_a_format_is_found_by_its_file_and_each_has_one() -> None:
    files = {file.stem for file in Path(toolkit.formats.__file__).parent.glob("*.py")} - {"__init__", "base"}
    assert files == {about.name for about in all_formats()}
    assert {about.format for about in all_formats()} == {*Format}
    assert [about.name for about in all_formats()] == sorted(Format)


@pytest.mark.parametrize("format", Format)
def test_contract(format: Format, tmp_path: Path) -> None:
    foreign = [file.read_bytes() for other, file in FILES.items() if other is not format]
    check_format(find_format(format), FILES[format], [*foreign, *NO_MODELS], tmp_path)


NAMES = {Format.ONNX: ("image",), Format.PT2: ("input",), Format.KERAS: ("x",)}


@pytest.mark.parametrize("format", Format)
def test_names_of_inputs_are_told_without_an_engine_or_not_at_all(format: Format, tmp_path: Path) -> None:
    about = find_format(format)
    assert about.input_names(FILES[format]) == NAMES.get(format)
    (tmp_path / "cut").write_bytes(FILES[format].read_bytes()[:100])
    assert about.input_names(tmp_path / "cut") is None


def test_a_file_of_no_format_says_what_there_is() -> None:
    with pytest.raises(InputError, match=r"cannot tell the format of 'x.bin': expected a file ending in .*\.onnx.*, got '\.bin'"):
        format_of(Path("x.bin"))
    with pytest.raises(UnknownNameError, match="did you mean 'onnx'"):
        Format.parse("onx")


def test_bundles_start_with_what_was_trained_before_what_was_converted() -> None:
    floats = ("pt2-fp32", "keras-fp32", "savedmodel-fp32", "onnx-fp32", "torchscript-fp32", "tflite-fp32")
    assert trained_names()[: len(floats)] == floats
    assert {"onnx-int8", "onnx-int8-dynamic", "tflite-int8"} < set(trained_names())
    assert [about.format for about in source_formats() if about.start and not about.start.always] == [Format.ONNX, Format.TFLITE]


@pytest.mark.parametrize("format", [Format.OPENVINO, Format.NCNN, Format.COREML, Format.SAVEDMODEL])
def test_weights_that_stayed_behind_are_missed(format: Format, tmp_path: Path) -> None:
    file = tmp_path / FILES[format].name
    file.write_bytes(FILES[format].read_bytes())
    with pytest.raises(ArtifactError, match="weights"):
        find_format(format).check(file)
