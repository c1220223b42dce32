"""Core ML packages: made and checked here, run on a Mac only."""

from __future__ import annotations

import importlib
import shutil
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.converters.nets import export
from toolkit.converters.base import Node, Recipe
from toolkit.converters.coreml import check_written
from toolkit.converters.edges.coreml_fp16 import CoreMlFp16
from toolkit.converters.edges.coreml_from_pt2 import CoreMlFromPt2
from toolkit.core import Artifact, ConversionError, Format, InputError, Precision, Signature, TensorSpec, has_module, hidden
from toolkit.formats.coreml import NOT_NEEDED

if TYPE_CHECKING:
    from torch import nn

torch = pytest.importorskip("torch", reason="the extra [train] is not installed")
pytestmark = pytest.mark.skipif(not has_module("coremltools"), reason="the extra [coreml] is not installed")


def import_coremltools() -> Any:
    """As the converter does."""
    with warnings.catch_warnings(), hidden(*NOT_NEEDED):
        warnings.simplefilter("ignore")  # Of versions of torch that it was not tested with.
        return importlib.import_module("coremltools")


def test_a_package_has_the_signature_and_the_weights(made: dict[Node, Artifact], trained: nn.Module) -> None:
    single, half = (made[Node(Format.COREML, precision)] for precision in (Precision.FP32, Precision.FP16))
    assert sorted(single.manifest.files) == [
        "model.mlpackage/Data/com.apple.CoreML/model.mlmodel",
        "model.mlpackage/Data/com.apple.CoreML/weights/weight.bin",
        "model.mlpackage/Manifest.json",
    ]
    operators = single.manifest.operators
    assert operators is not None
    assert operators.by_type["conv"] == operators.by_type["linear"] == 2
    weights = "model.mlpackage/Data/com.apple.CoreML/weights/weight.bin"
    numbers = sum(tensor.numel() for tensor in trained.parameters())
    assert 0.9 < (single.path / weights).stat().st_size / (4 * numbers) < 1.3
    assert (half.path / weights).stat().st_size < 0.6 * (single.path / weights).stat().st_size


@pytest.mark.slow
def test_integers_two_inputs_and_awkward_names(tmp_path: Path, two_inputs: dict[Node, Artifact]) -> None:
    coremltools = import_coremltools()

    source = two_inputs[Node(Format.PT2, Precision.FP32)]
    names = Signature(
        tuple(replace(spec, name=f"1.{spec.name}") for spec in source.manifest.signature.inputs), source.manifest.signature.outputs
    )
    source = replace(source, manifest=replace(source.manifest, signature=names))
    artifact = CoreMlFromPt2().convert(source, tmp_path / "coreml", Recipe())
    assert artifact.manifest.signature == names
    spec = coremltools.utils.load_spec(str(artifact.path / "model.mlpackage"))
    assert [port.name for port in (*spec.description.input, *spec.description.output)] == ["_1_tokens", "_1_extra", "logits", "hidden"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The tensor attributes self.lstm")
def test_a_recurrent_net(tmp_path: Path) -> None:
    from torch import nn

    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(3, 4, batch_first=True)

        def forward(self, x: Any) -> Any:
            return self.lstm(x)[0][:, -1]

    signature = Signature((TensorSpec("x", "float32", ("batch", 5, 3)),), (TensorSpec("y", "float32", ("batch", 4)),))
    artifact = CoreMlFp16().convert(
        export(tmp_path / "net", Last(), (torch.zeros(2, 5, 3),), signature, "net"), tmp_path / "coreml", Recipe()
    )
    assert artifact.manifest.operators is not None
    assert artifact.manifest.operators.by_type["lstm"] == 1


def test_what_was_written_is_compared_with_the_signature(made: dict[Node, Artifact], tmp_path: Path) -> None:
    coremltools = import_coremltools()
    artifact = made[Node(Format.COREML, Precision.FP32)]
    shutil.copytree(artifact.path / "model.mlpackage", package := tmp_path / "model.mlpackage")
    spec = coremltools.utils.load_spec(str(package))
    (image,), (logits,) = artifact.manifest.signature.inputs, artifact.manifest.signature.outputs
    check_written(spec, artifact.manifest.signature, package)
    for wrong in (
        Signature((replace(image, name="picture"),), (logits,)),
        Signature((replace(image, shape=("batch", 1, 8, 9)),), (logits,)),
        Signature((replace(image, shape=(1, 1, 8, 8)),), (logits,)),
        Signature((image,), (replace(logits, dtype="int32"),)),
        Signature((image,), (logits, logits)),
    ):
        with pytest.raises(ConversionError, match="coremltools changed"):
            check_written(spec, wrong, package)
    (package / "Data" / "com.apple.CoreML" / "weights" / "weight.bin").write_bytes(b"")
    with pytest.raises(ConversionError, match="wrote no weights"):
        check_written(spec, artifact.manifest.signature, package)


def test_a_type_that_core_ml_does_not_take(source: Artifact, tmp_path: Path) -> None:
    image = source.manifest.signature.inputs[0]
    wrong = replace(source.manifest.signature, inputs=(replace(image, dtype="float64"),))
    with pytest.raises(InputError, match="Core ML, 'image': expected float32 or int32 or int64, got float64"):
        CoreMlFromPt2().convert(replace(source, manifest=replace(source.manifest, signature=wrong)), tmp_path / "coreml", Recipe())
