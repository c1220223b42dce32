"""`toolkit embed`: a bundle again, with the preparation inside its files."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import toolkit
from tests.conftest import Trained
from toolkit.cli import toolkit as command
from toolkit.converters.embedding import Picture
from toolkit.core import Artifact, InputError, Precision, Preprocessing, Samples, ToolkitError, UnknownNameError, Verdict
from toolkit.pipeline import embed as embedding
from toolkit.pipeline.embed import embed

NAMES = ("onnx-fp32", "openvino-int8", "openvino-bf16")


@pytest.fixture(scope="module")
def bundle(trained_cnn: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained network and three of what was made of it."""
    home = tmp_path_factory.mktemp("bundles") / "cnn"
    for name in ("pt2-fp32", *NAMES):
        shutil.copytree(trained_cnn.bundle / name, home / name)
    return home


@pytest.fixture(scope="module")
def embedded(bundle: Path) -> dict[str, embedding.Embedded]:
    return {each.name: each for each in embed(bundle, channels="rgb", evaluation=400)}


def test_files_are_verified_on_pictures_of_several_sizes(embedded: dict[str, embedding.Embedded]) -> None:
    assert set(embedded) == set(NAMES)
    for name in NAMES[:2]:
        made = embedded[name].artifact
        assert made is not None
        root, parent = made.manifest.evidence
        assert {root.verdict, parent.verdict} <= (
            {Verdict.PASSED} if made.manifest.precision is Precision.FP32 else {Verdict.PASSED, Verdict.UNDECIDED}
        )
        assert root.reference != parent.reference
        assert root.task is not None
        assert root.task.samples == 400
        assert root.task.reference > 0.9  # Of the accuracy on digits there is something left in pictures.
    assert not embedded["openvino-bf16"].available
    assert "bfloat16" in embedded["openvino-bf16"].reason


def test_an_app_gives_it_a_picture(bundle: Path, embedded: dict[str, embedding.Embedded]) -> None:
    assert embedded
    image = Image.fromarray(_five()).resize((200, 160)).convert("RGB")
    with toolkit.load(f"{bundle}-embedded") as session:
        assert session.signature.inputs[0].dtype == "uint8"
        (scores,) = session.run(np.asarray(image)[None])
    assert scores.argmax() == 5


def _five() -> np.ndarray:
    from sklearn.datasets import load_digits

    found = load_digits()
    row = np.flatnonzero(found.target == 5)[3]
    levels: np.ndarray = np.rint(found.images[row] * 255 / 16).astype(np.uint8)
    return levels


def test_one_artifact_and_another_folder(bundle: Path, tmp_path: Path) -> None:
    (made,) = embed(bundle / "onnx-fp32", out=tmp_path / "app", evaluation=20)
    assert made.artifact is not None
    assert made.artifact.path == tmp_path / "app" / "onnx-fp32"
    assert made.artifact.manifest.signature.inputs[0].shape[-1] == 1  # The network's own grey.
    with pytest.raises(InputError, match="prepares its pictures already"):
        embed(made.artifact.path)


def test_without_samples_drawn_pictures_verify(bundle: Path, tmp_path: Path) -> None:
    home = tmp_path / "net"
    shutil.copytree(bundle / "onnx-fp32", home / "onnx-fp32")
    artifact = Artifact.load(home / "onnx-fp32")
    alone = replace(artifact.manifest, data="", root="")
    (home / "onnx-fp32" / "manifest.json").write_bytes(alone.to_json())
    (made,) = embed(home / "onnx-fp32")
    assert made.passed
    assert made.artifact is not None
    assert "seeded probes only" in made.artifact.manifest.evidence[0].reason


def test_a_wrong_preparation_fails(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def darker(artifact: Artifact, out: Path, picture: Picture) -> Artifact:
        return make(artifact, out, replace(picture, about=replace(picture.about, mean=(0.5,))))

    make = embedding._make
    monkeypatch.setattr(embedding, "_make", darker)
    (made,) = embed(bundle / "onnx-fp32", out=tmp_path / "app", evaluation=50)
    assert made.artifact is not None
    assert made.artifact.verdict is Verdict.FAILED
    assert not made.passed


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"channels": "rbg"}, "order of channels 'rbg'"),
        ({"prepare": "gone.toml"}, "'gone.toml' cannot be read"),
        ({"data": "gone/"}, "gone"),
    ],
)
def test_what_is_wrong_is_one_line(bundle: Path, tmp_path: Path, options: dict[str, Any], told: str) -> None:
    with pytest.raises((ToolkitError, UnknownNameError)) as error:
        embed(bundle, out=tmp_path / "app", **options)
    assert told in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "app").exists()


def test_samples_that_are_no_pictures_are_refused(bundle: Path, tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(0, 9, (40, 1, 8, 8)).astype(np.float32)
    with pytest.raises(InputError, match=r"are no pictures prepared as .* expected values of levels from 0 to 255"):
        embed(bundle, out=tmp_path / "app", data=Samples({"image": rows}, None, "noise"))


def test_something_else_is_not_replaced(bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(bundle / "onnx-fp32", tmp_path / "app" / "onnx-fp32")
    with pytest.raises(InputError, match="is there already"):
        embed(bundle, out=tmp_path / "app")


def test_the_command(bundle: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(
        command, ["embed", str(bundle / "onnx-fp32"), "--out", str(tmp_path / "app"), "--evaluation", "30", "--json", "-"]
    )
    assert done.exit_code == 0, done.output
    done = CliRunner().invoke(command, ["embed", str(bundle / "openvino-bf16"), "--out", str(tmp_path / "other")])
    assert isinstance(done.exception, InputError)
    assert not (tmp_path / "other").exists()


def test_a_manifest_of_an_earlier_version_has_the_usual_border() -> None:
    assert Preprocessing().pad == 114
