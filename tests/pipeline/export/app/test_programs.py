"""Exported programs are built, pass their own test, answer as the toolkit does, and refuse what is wrong in one line."""

from __future__ import annotations

import json
import shutil
import struct
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import toolkit
from tests.pipeline.export.app.apps import BUILT, LANGUAGES, TRAINED, build, call, echo, need, own_test, run, steps
from toolkit.core import Artifact
from toolkit.core.reading import write_arrays
from toolkit.pipeline.data._preparation import Preparation
from toolkit.pipeline.export.app import export
from toolkit.pipeline.export.app.kinds import kind_of


@dataclass(frozen=True)
class Program:
    language: str
    folder: Path
    model: Path


@pytest.fixture(scope="module", params=BUILT)
def classifier(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, common_folder: Path) -> Program:
    """The int8 file of the trained net, with a picture of a digit as its example."""
    need(request.param)
    home, model = tmp_path_factory.mktemp("program"), TRAINED / "onnx-int8"
    digit().save(home / "digit.jpg")
    export(model, home / "my app", lang=request.param, inputs=[str(home / "digit.jpg")])
    build(request.param, home / "my app", common_folder)
    return Program(request.param, home / "my app", model)


def digit() -> Image.Image:
    """A bar on black paper, in colours."""
    pixels = np.zeros((80, 60, 3), np.uint8)
    pixels[10:70, 25:37] = (250, 240, 230)
    return Image.fromarray(pixels)


def test_a_program_passes_its_own_test_and_prints_what_the_toolkit_answers(classifier: Program, tmp_path: Path) -> None:
    done = own_test(classifier.folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout.lower()
    done = call(("bash", "-c", steps(classifier.folder)[-1]), classifier.folder)
    assert (done.returncode, done.stdout.count("\n")) == (0, 3)
    digit().save(tmp_path / "UPPER.PNG")
    manifest = Artifact.load(classifier.model).manifest
    kind = kind_of(manifest, manifest.signature, Preparation(), None)
    assert kind is not None
    with toolkit.load(classifier.model) as session:
        scores = session.run(kind.array(tmp_path / "UPPER.PNG"))[0][0]
    done = run(classifier.language, classifier.folder, tmp_path / "UPPER.PNG")
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split("  ") for line in done.stdout.splitlines()]
    assert [name for name, _ in rows] == [manifest.labels[place] for place in np.argsort(-scores)[:3]]
    assert [float(score) for _, score in rows] == pytest.approx(sorted(scores, reverse=True)[:3], abs=0.1)


def test_the_test_of_a_program_fails_for_another_input_and_for_other_outputs(classifier: Program) -> None:
    for name, change in (("prepared.npy", 0.02), ("outputs/0.npy", 1.0)):
        file = classifier.folder / "example" / name
        content = file.read_bytes()
        np.save(file, np.load(file) + np.float32(change))
        done = own_test(classifier.folder)
        file.write_bytes(content)
        assert done.returncode != 0, name
        assert "off by" in done.stdout + done.stderr or "dB" in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


def test_what_cannot_be_read_is_one_line_and_exit_code_2(classifier: Program, tmp_path: Path) -> None:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 120, 3)).astype(np.uint8))
    for suffix in ("png", "jpg", "ppm"):
        picture.save(tmp_path / f"whole.{suffix}")
        content = (tmp_path / f"whole.{suffix}").read_bytes()
        (tmp_path / f"cut.{suffix}").write_bytes(content[: len(content) // 2])
        (tmp_path / f"start.{suffix}").write_bytes(content[:9])
    header = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    huge = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    (tmp_path / "huge.png").write_bytes(huge + (tmp_path / "whole.png").read_bytes()[33:])
    (tmp_path / "huge.ppm").write_bytes(b"P6 60000 60000 255\n" + bytes(100))
    Image.fromarray(np.zeros((9, 9), np.uint16)).save(tmp_path / "deep.png")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("this is no picture, however long it is")
    (tmp_path / "folder.png").mkdir()
    np.save(tmp_path / "shape.npy", np.zeros((1, 1, 8, 9), np.float32))
    np.save(tmp_path / "none.npy", np.zeros((0, 1, 8, 8), np.float32))
    (tmp_path / "cut.npy").write_bytes((tmp_path / "shape.npy").read_bytes()[:200])
    (tmp_path / "text.npy").write_text("this is no array, however long it is")
    bad = sorted({*tmp_path.iterdir()} - {*tmp_path.glob("whole.*")})
    ways: list[Sequence[str | Path]] = [[], ["missing.png"], bad[:2], *([file] for file in bad)]
    for words in ways:
        done = run(classifier.language, classifier.folder, *words)
        assert done.returncode == 2, (words, done.stdout, done.stderr)
        assert done.stdout == ""
        assert done.stderr.startswith("error: "), words
        assert done.stderr.count("\n") == 1, (words, done.stderr)


@pytest.mark.parametrize("language", BUILT)
def test_several_inputs_of_any_type_and_size_by_name_or_in_order(language: str, tmp_path: Path, common_folder: Path) -> None:
    model = echo(tmp_path / "net", "a.b:float32[batch,n]", "mask:uint8[batch,3]", "ids:int64[batch,n]", plus=1)
    arrays: dict[str, np.ndarray] = {
        "a.b": np.array([[1.5, -2, 3, 4], [5, 6, 7, 8]], np.float32),
        "mask": np.array([[1, 2, 3], [4, 5, 254]], np.uint8),
        "ids": np.arange(8, dtype=np.int64).reshape(2, 4) - 10**9,
    }
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    write_arrays(tmp_path / "all.npz", arrays)
    folder = tmp_path / "app"
    need(language)
    export(model, folder, lang=language, inputs=[str(tmp_path / "all.npz")])
    build(language, folder, common_folder)
    done = own_test(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    files = [tmp_path / f"{name}.npy" for name in arrays]
    by_name = [f"ids={files[2]}", f"mask={files[1]}", f"a.b={files[0]}"]
    ways: list[Sequence[str | Path]] = [files, by_name] if language == "cpp" else [files, by_name, [tmp_path / "all.npz"]]
    for words in ways:
        done = run(language, folder, *words)
        assert done.returncode == 0, done.stderr
        first, mask, ids = done.stdout.splitlines()
        assert first == "y_a.b: float32 [2, 4] 2.5 -1 4 5 6 7 8 9"
        assert mask == "y_mask: uint8 [2, 3] 2 3 4 5 6 255"
        assert ids.startswith("y_ids: int64 [2, 4] -999999999 -999999998 ")
    np.save(tmp_path / "ids.npy", arrays["ids"][:, :3])
    done = run(language, folder, *files)
    assert (done.returncode, done.stdout) == (2, "")
    assert "error: " in done.stderr
    assert "ids" in done.stderr


@pytest.mark.parametrize("artifact", ["tflite-int8", "openvino-fp16"])
def test_python_runs_every_engine_without_the_toolkit(artifact: str, tmp_path: Path) -> None:
    made = export(TRAINED / artifact, tmp_path / "app", lang="python")
    done = own_test(tmp_path / "app")
    assert done.returncode == 0, done.stderr
    code = "import sys, app\napp.Network()\nprint([name for name in sys.modules if name.split('.')[0] == 'toolkit'])"
    assert call((sys.executable, "-c", code), tmp_path / "app").stdout.strip() == "[]"
    wanted = (tmp_path / "app" / "requirements.txt").read_text().splitlines()
    assert [line.partition("==")[0] for line in wanted] == ["numpy", "ai-edge-litert" if "tflite" in artifact else "openvino", "pillow"]
    assert all("==" in line for line in wanted)
    assert made.kind == "picture"


def test_a_page_answers_as_the_program_does(tmp_path: Path, common_folder: Path) -> None:
    from tests.pipeline.export.visits import hosted
    from toolkit.runtimes.browser import missing, repair

    if absent := missing():
        pytest.skip(f"{absent}; run: {repair()}")
    from playwright.sync_api import sync_playwright

    from toolkit.runtimes.browser.packages import chromium

    folder = tmp_path / "app"
    export(TRAINED / "onnx-fp32", folder, lang="js")
    build("js", folder, common_folder)
    node = run("js", folder, "example/input.png")
    assert node.returncode == 0, node.stderr
    with hosted(folder) as host, sync_playwright() as playwright:
        page = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"]).new_page()
        page.goto(f"http://127.0.0.1:{host.server_address[1]}/index.html")
        page.wait_for_function("document.querySelector('pre').textContent === 'ready'")
        page.set_input_files("input", folder / "example" / "input.png")
        page.wait_for_function("document.querySelector('pre').textContent !== 'ready'")
        assert page.text_content("pre") == node.stdout.strip()


def test_the_names_of_a_stranger_are_safe_in_every_text(tmp_path: Path) -> None:
    labels = ('quote" ??/', "back\\slash", "löwe", "*/ `end`")
    model = echo(tmp_path / "net", "x:float32[batch,4]", labels=labels, task="classification")
    for language in LANGUAGES:
        export(model, tmp_path / language, lang=language)
        assert json.loads((tmp_path / language / "about.json").read_text())["labels"] == [*labels]
    if shutil.which("g++"):
        (tmp_path / "cpp" / "labels.cpp").write_text(
            '#include <cstdio>\n#include "about.h"\nint main() { for (const auto &each : about::labels) std::puts(each.c_str()); }\n'
        )
        done = call(("g++", "-std=c++17", "-trigraphs", "labels.cpp", "-o", "labels"), tmp_path / "cpp")
        assert done.returncode == 0, done.stderr
        assert call(("./labels",), tmp_path / "cpp").stdout.splitlines() == [*labels]
