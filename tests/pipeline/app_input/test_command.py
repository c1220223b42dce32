"""``toolkit debug --app-input``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from tests.pipeline.app_input.test_pictures import as_picture, photograph
from toolkit.cli import toolkit as command
from toolkit.core import ToolkitError

EARLIER = Path(__file__).parents[2] / "data" / "0.1.0" / "perceptron"


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an app: its artifact, a picture, the right input and one with raw values."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(EARLIER / "onnx-fp32", "net/onnx-fp32")
    photograph(1).save("cat.png")
    raw = as_picture(photograph(1).convert("L").resize((8, 8), Image.Resampling.BILINEAR))[None, None]
    about = json.loads(Path("net/onnx-fp32/manifest.json").read_text())["preprocessing"]
    # The scale of the manifest is that of digits, whose levels end at 16.
    right = (raw / 255 - about["mean"][0]) / about["std"][0]
    np.save("right.npy", right.astype(np.float32))
    np.save("raw.npy", raw.astype(np.float32))
    return tmp_path


def test_it_says_what_is_wrong_and_what_mends_it(app: Path) -> None:
    assert app
    done = CliRunner().invoke(command, ["debug", "net/onnx-fp32", "--app-input", "raw.npy", "--from", "cat.png"])
    assert done.exit_code == 1, done.output
    assert "raw values from 0 to 255" in done.output
    assert "mend: x = x * " in done.output
    done = CliRunner().invoke(command, ["debug", "net/onnx-fp32", "--app-input", "right.npy", "--from", "cat.png", "--json", "-"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["right"] is True


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--app-input", "raw.npy"], "expected --app-input FILE.npy with --from FILE"),
        (["--from", "cat.png"], "expected --app-input FILE.npy with --from FILE"),
        (["--app-input", "cat.png", "--from", "cat.png"], "cannot be read as NumPy arrays: it is a PNG image"),
        (["--app-input", "raw.npy", "--from", "dog.png"], "there is no file 'dog.png'"),
    ],
)
def test_what_is_missing_is_one_line(app: Path, words: list[str], line: str) -> None:
    assert app
    done = CliRunner().invoke(command, ["debug", "net/onnx-fp32", *words])
    assert isinstance(done.exception, ToolkitError)
    assert line in str(done.exception)
    assert "\n" not in str(done.exception)
