"""What a user may name as a source or as samples, and what comes of it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Trained
from tests.models.contract import image_model
from tests.tiny import FEATURES, as_trained, tiny_artifact, tiny_samples
from toolkit.core import MANIFEST, Artifact, ArtifactError, Bundle, DataError, InputError, Precision, UnknownNameError
from toolkit.pipeline.source.resolve import current, resolve_source, trained
from toolkit.pipeline.source.samples import read_inputs, split_samples


def test_a_bundle_an_artifact_and_a_models_name_are_the_same_source(trained_cnn: Trained) -> None:
    bundle = trained_cnn.bundle
    out = bundle.parent
    found = [resolve_source(text, out=out).place() for text in (str(bundle), str(bundle / "pt2-fp32"), "cnn")]
    assert {artifact.path.resolve() for artifact in found} == {(bundle / "pt2-fp32").resolve()}


def test_a_bare_model_file_becomes_an_artifact_with_the_files_own_signature(tmp_path: Path) -> None:
    file = tmp_path / "mine.onnx"
    shutil.copyfile(tiny_artifact(tmp_path / "tiny").model_file, file)
    source = resolve_source(str(file), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    made = source.place()
    assert made == source.artifact == Artifact.load(made.path)
    assert made.path == tmp_path / "out" / "mine" / "onnx-fp32"
    assert str(made.manifest.signature) == f"(x:float32[batch,{FEATURES}]) -> (logits:float32[batch,10])"
    assert (made.manifest.model, made.manifest.root, made.manifest.edge) == ("mine", "", "import")
    assert made.model_file.read_bytes() == file.read_bytes()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("missing.onnx", "no model file 'missing.onnx': expected an existing file"),
        ("cnnn", r"unknown model 'cnnn': expected one of .*cnn, .*resnet.*; did you mean 'cnn'"),
        ("some/where", "there is no such file or folder"),
        ("resnet", "model 'resnet' is not trained yet in .*; run: toolkit train resnet --out"),
        (
            "{here}/net.pte",
            "cannot be converted further: expected a .pt2 or .keras or .h5 or .hdf5 or .onnx or .ts .* or .tflite file, got executorch",
        ),
        ("{here}/net.tflite", "net.tflite' is empty: expected a complete file in the format TF Lite, got 0 bytes"),
        ("{here}/net.safetensors", "holds weights, not a model.*toolkit convert MODEL --weights"),
        ("{here}/net.pkl", "holds weights, not a model"),
        ("{here}/net.h5", "net.h5' is empty: expected a complete file in the format Keras, got 0 bytes"),
        ("{here}/net.bin", "cannot tell the format"),
        ("{here}/net.keras", "'.*net.keras' is empty: expected a complete file in the format Keras, got 0 bytes"),
        ("{here}/saved", "saved_model.pb' is empty: expected a complete file in the format SavedModel, got 0 bytes"),
        ("{here}/net.onnx", "net.onnx' is empty: expected a complete file in the format ONNX, got 0 bytes"),
    ],
)
def test_what_is_no_source_leaves_nothing(tmp_path: Path, text: str, message: str) -> None:
    for suffix in ("pte", "tflite", "safetensors", "pkl", "h5", "onnx", "bin", "keras"):
        (tmp_path / f"net.{suffix}").touch()
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").touch()
    with pytest.raises(InputError, match=message):
        resolve_source(text.format(here=tmp_path), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("settings", [{}, {"pickle_protocol": 4}, {"_use_new_zipfile_serialization": False}], ids=["2", "4", "old"])
def test_a_pickled_model_is_called_so_and_never_unpickled(
    tmp_path: Path, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import pickle

    import torch

    net = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 4, dtype=torch.float16))
    torch.save(net, tmp_path / "net.pt", **settings)
    torch.save(net.state_dict(), tmp_path / "state.pt", **settings)
    torch.save({"epoch": 3, "lr": 0.1, "model": net.state_dict()}, tmp_path / "state.ckpt", **settings)
    monkeypatch.setattr(pickle, "Unpickler", None)
    with pytest.raises(
        InputError, match=r"'net.pt' holds a pickled network or other Python objects \(torch.nn.modules.*Sequential\)"
    ) as caught:
        resolve_source(str(tmp_path / "net.pt"), out=tmp_path / "out")
    for line in ("model = torch.load('net.pt'", "program = torch.export.export(model, ", "torch.export.save(program, 'net.pt2')"):
        assert line in str(caught.value)
    for name in ("state.pt", "state.ckpt"):
        with pytest.raises(InputError, match=f"'{name}' holds weights, not a model"):
            resolve_source(str(tmp_path / name), out=tmp_path / "out")


@pytest.mark.parametrize("how", ["weights", "file"])
def test_a_trained_model_is_not_replaced_by_another(trained_cnn: Trained, tmp_path: Path, how: str) -> None:
    home = tmp_path / "out" / "cnn" / "pt2-fp32"
    shutil.copytree(trained_cnn.bundle / "pt2-fp32", home)
    before = Artifact.load(home)
    weights(1, tmp_path / "w.safetensors")
    other = resolve_source("cnn", out=tmp_path, weights=tmp_path / "w.safetensors", data="digits").place()
    if how == "weights":
        source = resolve_source("cnn", out=tmp_path / "out", weights=tmp_path / "w.safetensors", data="digits")
    else:
        shutil.copyfile(other.model_file, tmp_path / "cnn.pt2")
        source = resolve_source(str(tmp_path / "cnn.pt2"), out=tmp_path / "out")
    with pytest.raises(
        InputError, match=r"pt2-fp32' holds another trained model, which would be lost; keep it: another --out; replace it: --overwrite"
    ):
        source.place()
    assert Artifact.load(home) == before
    assert [folder.name for folder in home.parent.iterdir()] == ["pt2-fp32"]


def test_the_same_model_is_left_as_it_was_trained(trained_cnn: Trained, tmp_path: Path) -> None:
    trained = Artifact.load(trained_cnn.bundle / "pt2-fp32")
    shutil.copyfile(trained.model_file, tmp_path / "cnn.pt2")
    assert resolve_source(str(tmp_path / "cnn.pt2"), out=trained_cnn.bundle.parent).place() == trained


def test_weights_may_change_where_nothing_was_trained(tmp_path: Path) -> None:
    made = []
    for seed in (1, 2, 2):
        weights(seed, tmp_path / "w.safetensors")
        made.append(resolve_source("cnn", out=tmp_path, weights=tmp_path / "w.safetensors", data="digits").place())
    assert made[0] != made[1] == made[2] == Artifact.load(tmp_path / "cnn" / "pt2-fp32")


def weights(seed: int, file: Path) -> None:
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(seed)
    save_file(image_model("cnn").build((1, 8, 8), 10).state_dict(), file)


def test_weights_need_their_data_set() -> None:
    with pytest.raises(InputError, match="add --data NAME"):
        resolve_source("cnn", out=Path("out"), weights=Path("w.safetensors"))


def test_a_bundle_without_its_trained_model_says_so(tmp_path: Path) -> None:
    tiny_artifact(tmp_path, Precision.INT8)
    with pytest.raises(
        ArtifactError,
        match="has no trained model: expected a folder pt2-fp32 or keras-fp32 or savedmodel-fp32 or onnx-fp32 or torchscript-fp32",
    ):
        trained(Bundle.load(tmp_path))


def test_artifacts_of_an_earlier_training_are_not_current(tmp_path: Path) -> None:
    root = as_trained(tiny_artifact(tmp_path))
    for precision, parent in ((Precision.FP16, root.manifest.content_sha256), (Precision.INT8, "an earlier one")):
        made = tiny_artifact(tmp_path, precision, seed=1)
        (made.path / MANIFEST).write_bytes(replace(made.manifest, root=parent).to_json())
    assert [artifact.name for artifact in current(Bundle.load(tmp_path))] == ["onnx-fp16"]


def test_what_was_made_of_a_conversion_is_current(tmp_path: Path) -> None:
    """A shipped ONNX file has the root of the network that it was made from, and hands it on."""
    first = tiny_artifact(tmp_path)
    made = tiny_artifact(tmp_path, Precision.FP16)
    assert first.manifest.root == made.manifest.root != ""
    assert [artifact.name for artifact in current(Bundle.load(tmp_path))] == ["onnx-fp16"]


def test_a_file_is_divided_without_overlap_and_always_alike(tmp_path: Path) -> None:
    artifact = tiny_artifact(tmp_path)
    tiny_samples(50).save(tmp_path / "s.npz")
    split = split_samples(artifact, str(tmp_path / "s.npz"))
    assert (len(split.calibration), len(split.evaluation)) == (10, 40)
    assert not set(split.calibration.row_keys()) & set(split.evaluation.row_keys())
    again = split_samples(artifact, str(tmp_path / "s.npz"))
    assert (again.calibration.sha256, again.evaluation.sha256) == (split.calibration.sha256, split.evaluation.sha256)
    few = split_samples(artifact, str(tmp_path / "s.npz"), calibration=3, evaluation=5)
    assert (len(few.calibration), len(few.evaluation)) == (3, 5)


def test_rows_that_occur_twice_do_not_calibrate(tmp_path: Path) -> None:
    artifact = tiny_artifact(tmp_path)
    np.save(tmp_path / "same.npy", np.zeros((20, FEATURES), np.float32))
    with pytest.raises(DataError, match=r"every calibration sample .* is also an evaluation sample"):
        split_samples(artifact, str(tmp_path / "same.npy"))


def test_a_data_set_gives_its_own_splits(trained_cnn: Trained) -> None:
    artifact = Artifact.load(trained_cnn.bundle / "pt2-fp32")
    split = split_samples(artifact, None, calibration=40, evaluation=60)
    assert (split.calibration.origin, split.evaluation.origin) == ("digits/train", "digits/test")
    assert (len(split.calibration), len(split.evaluation)) == (40, 60)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.zeros((0, FEATURES), np.float32), "are empty"),
        (np.zeros((1, FEATURES), np.float32), "at least 2 rows"),
        (np.zeros((9, 3), np.float32), r"expected x:float32\[batch,64\], got float32\[9,3\]"),
        (np.zeros((9, FEATURES), np.int64), "got int64"),
        (np.full((9, FEATURES), np.nan, np.float32), "NaN or infinity"),
        (np.float32(1), r"got float32\[\]"),
    ],
)
def test_samples_that_cannot_calibrate(tmp_path: Path, rows: np.ndarray, message: str) -> None:
    artifact = tiny_artifact(tmp_path)
    np.save(tmp_path / "s.npy", rows)
    with pytest.raises(DataError, match=message):
        split_samples(artifact, str(tmp_path / "s.npy"))


def test_data_that_nobody_knows(tmp_path: Path) -> None:
    artifact = tiny_artifact(tmp_path)
    with pytest.raises(DataError, match=r"no data are known for 'tiny'; add --data with a .npz file or one of: digits"):
        split_samples(artifact, None)
    with pytest.raises(UnknownNameError, match="did you mean 'digits'"):
        split_samples(artifact, "digit")


def test_inputs_by_name(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(2))
    np.savez(tmp_path / "both.npz", x=np.zeros(2), y=np.ones(2))
    assert list(read_inputs([str(tmp_path / "a.npy")])) == [""]
    assert list(read_inputs([f"x={tmp_path / 'a.npy'}", f"y={tmp_path / 'a.npy'}"])) == ["x", "y"]
    assert list(read_inputs([str(tmp_path / "both.npz")])) == ["x", "y"]
    with pytest.raises(DataError, match="holds several arrays"):
        read_inputs([f"x={tmp_path / 'both.npz'}"])


DATA = Path(__file__).parents[2] / "data"


@pytest.mark.parametrize(
    ("source", "more"),
    [
        (DATA / "0.1.0" / "perceptron" / "onnx-fp32" / "model.onnx", ()),
        (DATA / "0.1.0" / "perceptron" / "pt2-fp32" / "model.pt2", ()),
        (DATA / "formats" / "model.keras", ()),
        (DATA / "formats" / "torchscript" / "model.ts", ("--input", "x:float32[batch,4]")),
        ("net.py:make", ("--input", "x:float32[batch,4]")),
    ],
    ids=["onnx", "pt2", "keras", "torchscript", "python"],
)
def test_wrong_names_of_samples_are_told_before_any_process_or_framework(tmp_path: Path, source: Path | str, more: tuple[str, ...]) -> None:
    """Where a framework is imported to read the source, the line came after its seconds."""
    np.savez(tmp_path / "s.npz", img=np.zeros((9, 4), np.float32), lbl=np.zeros(9, np.int64))
    code = f"""
import sys
def tripwire(event, found):
    assert event not in {{"subprocess.Popen", "os.fork", "os.posix_spawn"}}, event
    assert event != "import" or found[0] not in {{"torch", "onnx", "onnxruntime", "tensorflow", "keras"}}, found[0]
sys.addaudithook(tripwire)
sys.argv = ["toolkit", "convert", {str(source)!r}, *{more!r}, "--data", "s.npz"]
from toolkit.cli import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: samples 's.npz' have the wrong inputs: expected ")
    assert "got img, lbl; name the arrays after the inputs, and the true labels targets, target, labels or y" in done.stderr
    assert len(done.stderr.splitlines()) == 1
