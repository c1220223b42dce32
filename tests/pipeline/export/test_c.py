"""C sources of a model: what is compiled here is, with gcc; the interpreter's own sources are not here."""

from __future__ import annotations

import re
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Trained
from tests.micro import digits, integer_io
from tests.tiny import tiny_artifact
from toolkit.converters.base import Recipe
from toolkit.converters.edges.tflite_int8 import TfliteInt8
from toolkit.converters.task import convert_isolated
from toolkit.core import Artifact, InputError, Samples
from toolkit.pipeline.export.c import Firmware, export
from toolkit.pipeline.export.c.text import method
from toolkit.runtimes import find_runtime

pytest.importorskip("tflite_micro", reason="the extra [tflite-micro] is not installed")

from toolkit.runtimes.tflite_micro import MicroSession

NAMES = ("tflite-fp32", "tflite-int8", "tflite-int8-integer-io")
HARNESS = """
#include <stdio.h>
#include "model_data.h"
int main(void) {
  fprintf(stderr, "%u %u", (unsigned)((uintptr_t)model_data % 16), (unsigned)sizeof model_data);
  return fwrite(model_data, 1, sizeof model_data, stdout) != MODEL_SIZE;
}
"""


@pytest.fixture(scope="module")
def bundle(trained_cnn: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The CNN trained on digits: float, int8, and int8 with integers at its borders too."""
    folder = tmp_path_factory.mktemp("bundle")
    for name in NAMES[:2]:
        shutil.copytree(trained_cnn.bundle / name, folder / name)
    source = Artifact.load(folder / "tflite-fp32")
    (spec,) = source.manifest.signature.inputs
    recipe = Recipe(calibration=Samples({spec.name: digits(200)}), choices=integer_io().choices, variant="integer-io")
    convert_isolated(TfliteInt8(), source, folder / NAMES[2], recipe)
    return folder


@pytest.fixture(scope="module")
def exported(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Firmware]]:
    folder = tmp_path_factory.mktemp("exported")
    return {name: (folder / name, export(bundle / name, folder / name, {"": digits(1)})) for name in NAMES}


def compiled(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *words, "CFLAGS=-O2 -Wall -Wextra -Werror"], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", NAMES)
def test_the_array_is_the_file_and_the_example_the_same_integers(
    name: str, exported: dict[str, tuple[Path, Firmware]], tmp_path: Path
) -> None:
    folder, made = exported[name]
    result = compiled(folder, "check")
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{made.model_bytes} bytes are the file" in result.stdout
    (tmp_path / "harness.c").write_text(HARNESS)
    command = ["gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{folder}", "-o", str(tmp_path / "harness")]
    subprocess.run([*command, tmp_path / "harness.c", folder / "model_data.c"], check=True)
    shown = subprocess.run([tmp_path / "harness"], capture_output=True, check=True)
    content = (folder / "model.tflite").read_bytes()
    assert shown.stdout == content
    assert shown.stderr.decode().split() == ["0", str(len(content))]
    assert made.sha256 == sha256(content).hexdigest()
    assert made.sha256 in (folder / "model_data.h").read_text()


@pytest.mark.parametrize(("file", "old", "new"), [("model_data.c", "{\n    ", "{\n    1"), ("model_io.c", "nearbyintf(", "floorf(")])
def test_the_check_can_fail(file: str, old: str, new: str, exported: dict[str, tuple[Path, Firmware]], tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(exported["tflite-int8-integer-io"][0], folder, ignore=shutil.ignore_patterns("build"))
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))
    assert compiled(folder, "check").returncode != 0


@pytest.mark.parametrize("name", NAMES)
def test_the_expected_outputs_are_the_engine_s_own(name: str, bundle: Path, exported: dict[str, tuple[Path, Firmware]]) -> None:
    folder, made = exported[name]
    text = (folder / "example.c").read_text()
    numbers = re.search(r"example_expected_0\[10\] = \{(.*?)\}", text, re.DOTALL)
    assert numbers is not None
    found = np.array([float(word.strip().rstrip("f")) for word in numbers[1].split(",") if word.strip()])
    with find_runtime("tflite-micro").open(Artifact.load(bundle / name)) as session:
        assert isinstance(session, MicroSession)
        (port,) = session.inputs
        np.testing.assert_allclose(found, session.run_graph([port.encode(digits(1))])[0][0], rtol=1e-6)
    header = (folder / "model_data.h").read_text()
    assert f"#define MODEL_ARENA_BYTES {made.arena_bytes}u" in header
    if name == "tflite-int8-integer-io":
        assert port.affine is not None
        assert f"real = {port.affine.scale:.9g} * (integer - {port.affine.zero_point})" in header


def test_the_operators_are_the_files_and_no_other(exported: dict[str, tuple[Path, Firmware]]) -> None:
    folder, made = exported["tflite-int8"]
    text = (folder / "operators.h").read_text()
    assert f"MicroMutableOpResolver<{len(made.operators)}>" in text
    assert sorted(re.findall(r"operators\.(Add\w+)\(\)", text)) == sorted(method(name) for name in made.operators)
    assert {"FULLY_CONNECTED", "MAX_POOL_2D", "QUANTIZE"} <= set(made.operators)


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("CONV_2D", "AddConv2D"), ("DEPTHWISE_CONV_2D", "AddDepthwiseConv2D"), ("FULLY_CONNECTED", "AddFullyConnected"),
        ("BATCH_MATMUL", "AddBatchMatMul"), ("SPACE_TO_BATCH_ND", "AddSpaceToBatchNd"), ("L2_POOL_2D", "AddL2Pool2D"),
        ("PADV2", "AddPadV2"), ("CUMSUM", "AddCumSum"), ("RELU6", "AddRelu6"), ("SPLIT_V", "AddSplitV"), ("ADD_N", "AddAddN"),
        ("UNIDIRECTIONAL_SEQUENCE_LSTM", "AddUnidirectionalSequenceLSTM"), ("SELECT_V2", "AddSelectV2"), ("PRELU", "AddPrelu"),
    ],
)  # fmt: skip
def test_the_calls_that_add_operators_are_the_headers(operator: str, expected: str) -> None:
    """Read in ``micro_mutable_op_resolver.h``."""
    assert method(operator) == expected


def test_without_the_interpreters_sources_make_says_what_is_missing(exported: dict[str, tuple[Path, Firmware]]) -> None:
    result = compiled(exported["tflite-int8"][0])
    assert result.returncode != 0
    assert "TFLM is not set" in result.stderr


def test_bad_input_is_one_line_and_writes_nothing(bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(InputError, match="expected a TF Lite artifact, got onnx"):
        export(tiny_artifact(tmp_path / "bundle").path, out)
    with pytest.raises(InputError, match="expected 1 rows"):
        export(bundle / "tflite-int8", out, {"": digits(2)})
    assert not out.exists()
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="holds something else"):
        export(bundle / "tflite-int8", out)
    assert [file.name for file in out.iterdir()] == ["thesis.txt"]


def test_an_earlier_export_is_replaced_and_noise_is_an_example(bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "firmware"
    first = export(bundle / "tflite-fp32", out)
    second = export(bundle / "tflite-int8" / "model.tflite", out)
    assert second.arena_bytes < first.arena_bytes
    assert second.files == tuple(sorted(file.name for file in out.iterdir()))
    assert compiled(out, "check").returncode == 0
