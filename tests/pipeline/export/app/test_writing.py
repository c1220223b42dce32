"""What an exported folder holds, and what is refused before anything is written."""

from __future__ import annotations

import json
import shutil
import wave
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from tests.pipeline.export.app.apps import LANGUAGES, TRAINED, echo, own_test
from tests.tiny import tiny_artifact
from toolkit.cli import toolkit
from toolkit.core import DataError, InputError, Preprocessing, Sound, StorageError, Tokens, UnknownNameError, rule_for
from toolkit.pipeline.export.app import all_languages, export
from toolkit.pipeline.export.app.base import template


def test_every_language_has_its_templates_and_engines() -> None:
    assert LANGUAGES == ["cpp", "js", "python"]
    for language in all_languages():
        assert language.engines
        assert "@{steps}" in template(language.name, "README.md")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_folder_is_complete_and_says_how_it_is_used(language: str, tmp_path: Path) -> None:
    artifact = tiny_artifact(tmp_path / "bundle")
    made = export(artifact.path, tmp_path / "app", lang=language)
    files = {path.relative_to(made.folder).as_posix() for path in made.folder.rglob("*") if path.is_file()}
    assert files == {*made.files}
    assert {"README.md", "about.json", "model.onnx", "example/inputs/0.npy", "example/outputs/0.npy"} < files
    readme = (made.folder / "README.md").read_text()
    assert all(step in readme for step in made.steps)
    assert made.tolerance in readme
    assert "example/inputs/0.npy" in made.steps[-1]
    about = json.loads((made.folder / "about.json").read_text())
    tolerance = rule_for(artifact.manifest.precision).tolerance
    assert tolerance is not None
    assert (about["limits"]["atol"], about["labels"], about["kind"]) == (tolerance.atol, [*map(str, range(10))], "arrays")
    again = export(artifact.path, tmp_path / "app", lang=language)
    assert again == made, "an earlier export is replaced, and the example is seeded"


def test_the_example_is_what_a_user_gives(tmp_path: Path) -> None:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 20, 4)).astype(np.uint8))
    picture.save(tmp_path / "cat.png")
    (tmp_path / "prepare.toml").write_text("mean = 0.5\nstd = 0.25\nfit = 'letterbox'\npad = 0\n")
    model = echo(tmp_path / "net", "x:float32[batch,3,16,24]")
    export(model, tmp_path / "app", lang="python", inputs=[str(tmp_path / "cat.png")])
    with Image.open(tmp_path / "app" / "example" / "input.png") as kept:
        assert np.array_equal(np.asarray(kept), np.asarray(picture))
    prepared = np.load(tmp_path / "app" / "example" / "prepared.npy")
    assert prepared.shape == (1, 3, 16, 24)
    assert prepared[0, :, :, 0] == pytest.approx(-2), "the border: (0 - 0.5) / 0.25"
    assert np.array_equal(np.load(tmp_path / "app" / "example" / "outputs" / "0.npy"), prepared)
    free = echo(tmp_path / "free", "x:float32[batch,3,h,w]")
    export(free, tmp_path / "app", lang="python", inputs=[str(tmp_path / "cat.png")], prepare=str(tmp_path / "prepare.toml"))
    assert np.load(tmp_path / "app" / "example" / "prepared.npy").shape == (1, 3, 30, 20), "a free size is the example's"


@pytest.mark.parametrize("name", ["onnx-fp32", "openvino-fp32"])
def test_a_bare_file_brings_its_companions(name: str, tmp_path: Path) -> None:
    for file in (TRAINED / name).iterdir():
        if file.name.startswith("model."):
            shutil.copyfile(file, tmp_path / file.name.replace("model.", "mine."))
    model = tmp_path / ("mine.onnx" if "onnx" in name else "mine.xml")
    made = export(model, tmp_path / "app", lang="python")
    assert {file for file in made.files if file.startswith("model.")} == {
        file.name for file in (TRAINED / name).iterdir() if file.name.startswith("model.")
    }
    done = own_test(tmp_path / "app")
    assert done.returncode == 0, done.stderr


def test_a_recording_and_a_text_are_examples_too(tmp_path: Path) -> None:
    sound = echo(tmp_path / "sound", "x:float32[batch,8000]", preprocessing=Preprocessing(sound=Sound()))
    text = echo(tmp_path / "text", "x:int64[batch,4]", preprocessing=Preprocessing(text=Tokens(tokens=("a", "b"), pad=1)))
    for model, kind in ((sound, "sound"), (text, "text")):
        assert export(model, tmp_path / kind / "app", lang="python").kind == kind
    with wave.open(str(tmp_path / "sound" / "app" / "example" / "input.wav")) as stream:
        assert stream.getnframes() > 8000
    (tmp_path / "b.txt").write_text("b b a")
    export(text, tmp_path / "app", lang="python", inputs=[str(tmp_path / "b.txt")])
    assert np.load(tmp_path / "app" / "example" / "prepared.npy").tolist() == [[1, 1, 0, 1]]


def test_bad_input_is_one_line_and_writes_nothing(tmp_path: Path) -> None:
    model = tiny_artifact(tmp_path / "bundle").path
    pictured = echo(tmp_path / "net", "x:float32[batch,3,8,8]")
    half = echo(tmp_path / "half", "x:float16[batch,3]")
    (tmp_path / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    missing = str(tmp_path / "missing.png")
    np.save(tmp_path / "x.npy", np.zeros((1, 3), np.float32))
    out = tmp_path / "out"
    for words, kind, message in (
        ((model, "rust"), UnknownNameError, "one of cpp, js, python"),
        ((half, "js"), InputError, "expected no float16"),
        ((model, "python", str(tmp_path / "x.npy")), InputError, "wrong shape"),
        ((model, "python", str(tmp_path / "cut.png")), DataError, "fills no input"),
        ((pictured, "python", str(tmp_path / "cut.png")), DataError, "cannot be read as a picture"),
        ((pictured, "python", missing), DataError, "there is no file"),
        ((pictured, "python", str(tmp_path / "a.wav")), DataError, "expected a picture"),
        ((pictured, "python", str(tmp_path / "a.wav"), str(tmp_path / "x.npy")), InputError, "alone"),
        ((tmp_path / "nothing", "python"), InputError, "not an artifact folder"),
    ):
        with pytest.raises(kind, match=message):
            export(words[0], out, lang=words[1], inputs=words[2:])
        assert not out.exists()
    (tmp_path / "prepare.toml").write_text("scale = 1\n")
    with pytest.raises(InputError, match="prepares no input"):
        export(model, out, lang="python", prepare=str(tmp_path / "prepare.toml"))
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="holds something else"):
        export(model, out, lang="python")
    with pytest.raises(StorageError):
        export(model, out / "thesis.txt" / "app", lang="python")
    assert [file.name for file in out.iterdir()] == ["thesis.txt"]
    assert not [*tmp_path.glob(".out*")], "nothing is half-written"


def test_the_command_says_what_to_do_next(tmp_path: Path) -> None:
    model = tiny_artifact(tmp_path / "bundle").path
    done = CliRunner().invoke(toolkit, ["export", "app", str(model), "--lang", "python", "--out", str(tmp_path / "app")])
    assert done.exit_code == 0, done.output
    assert "pip install -r requirements.txt\npython test_app.py\npython app.py example/inputs/0.npy\n" in done.stdout
    words = ["export", "app", str(model), "--lang", "js", "--out", str(tmp_path / "app"), "--json", "-"]
    told = json.loads(CliRunner().invoke(toolkit, words).stdout)
    assert (told["language"], told["kind"], told["steps"][:2]) == ("js", "arrays", ["npm install", "npm test"])
    shown = CliRunner().invoke(toolkit, ["export", "app", "--help"]).stdout
    assert "[cpp|js|python]" in shown
