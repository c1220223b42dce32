"""Exported pages in a real headless Chromium: right for 100 images, small, alone with their host, and there without a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper

from tests.conftest import Trained
from tests.pages import browser, faults_of
from tests.pipeline.export.visits import Visit, hosted, installed, ready, visit
from toolkit.cli import toolkit
from toolkit.core import Artifact, InputError, MissingDependencyError, sha256_of
from toolkit.models.data import find_data
from toolkit.pipeline.export.web import export_web
from toolkit.runtimes import SessionOptions, find_runtime

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["browser", "installed", "visit"]
ROOT = Path(__file__).parents[3]
IMAGES = 100
MOST_BYTES = 15_000_000


def answers(page: Page, samples: Path) -> list[int]:
    """What the page says of each sample in a file."""
    page.set_input_files("#file", samples)
    page.wait_for_function(
        f"document.querySelectorAll('#grid figure').length === {IMAGES} && !document.body.dataset.opening", timeout=60_000
    )
    found: list[int] = page.eval_on_selector_all("#grid figure", "figures => figures.map(figure => Number(figure.dataset.answer))")
    page.evaluate("document.querySelector('#grid').replaceChildren()")
    return found


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("samples") / "digits.npz"
    find_data("digits").load("test", rows=slice(IMAGES)).save(file)
    return file


def top1(artifact: Artifact, samples: Path, engine: str) -> list[int]:
    with np.load(samples) as arrays, find_runtime(engine).open(artifact, SessionOptions(threads=1)) as session:
        logits = session.run(arrays["image"])[0]
    return [int(best) for best in np.argmax(logits, axis=1)]


@pytest.mark.parametrize(
    ("name", "engine"),
    [("onnx-fp32", "onnxruntime"), ("onnx-int8", "onnxruntime"), ("tflite-int8", "litert")],
)
def test_a_page_answers_for_100_images_is_small_and_works_without_a_network(
    trained_cnn: Trained, samples: Path, visit: Visit, tmp_path: Path, name: str, engine: str
) -> None:
    artifact = Artifact.load(trained_cnn.bundle / name)
    site = export_web(artifact.path, tmp_path / "site")
    want = top1(artifact, samples, engine)
    with hosted(site.folder) as host, visit(host) as page:
        assert answers(page, samples) == want
        assert "1 thread" in page.inner_text("#facts")
        assert "works without a network" in page.inner_text("#facts")
        assert 0 < host.sent < MOST_BYTES
        sent = host.sent
        page.context.set_offline(True)
        page.reload()
        ready(page)
        assert answers(page, samples) == want
        assert host.sent == sent, "all came from what the page has kept"


def test_a_host_that_isolates_its_pages_gets_threads(trained_cnn: Trained, samples: Path, visit: Visit, tmp_path: Path) -> None:
    artifact = Artifact.load(trained_cnn.bundle / "onnx-fp32")
    site = export_web(artifact.path, tmp_path / "site")
    with hosted(site.folder, isolated=True) as host, visit(host) as page:
        assert f"{min(4, page.evaluate('navigator.hardwareConcurrency'))} thread" in page.inner_text("#facts")
        assert answers(page, samples) == top1(artifact, samples, "onnxruntime")


def draw(page: Page, *strokes: list[tuple[float, float]]) -> None:
    """Strokes with the mouse; coordinates are parts of the pad."""
    box = page.locator("#pad").bounding_box()
    assert box is not None
    for stroke in strokes:
        for index, (x, y) in enumerate(stroke):
            page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
            if not index:
                page.mouse.down()
        page.mouse.up()


def test_a_drawing_is_answered_and_can_be_cleared(trained_cnn: Trained, visit: Visit, tmp_path: Path) -> None:
    site = export_web(trained_cnn.bundle / "onnx-int8", tmp_path / "site")
    with hosted(site.folder) as host, visit(host) as page:
        assert "%" not in page.inner_text("#bars"), "nothing was drawn yet"
        circle = [(0.5 + 0.2 * np.sin(angle), 0.5 - 0.35 * np.cos(angle)) for angle in np.linspace(0, 2 * np.pi, 24)]
        draw(page, circle)
        page.wait_for_function("document.querySelector('#top').textContent === '0'", timeout=10_000)
        assert page.inner_text("#sure").startswith("confidence ")
        assert faults_of(page) == []
        page.click("#clear")
        assert page.inner_text("#top") == "?"
        draw(page, [(0.5, 0.1), (0.5, 0.9)])
        page.wait_for_function("document.querySelector('#top').textContent === '1'", timeout=10_000)


def write_difference(file: Path) -> None:
    """Two inputs ``[B, 3]``, two outputs: their difference, and whole numbers as they are."""
    floats = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3]) for name in ("left", "right", "difference")]
    whole = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch"]) for name in ("number", "same")]
    nodes = [helper.make_node("Sub", ["left", "right"], ["difference"]), helper.make_node("Identity", ["number"], ["same"])]
    graph = helper.make_graph(nodes, "difference", [*floats[:2], whole[0]], [floats[2], whole[1]])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), file)


def test_any_other_model_is_a_form(visit: Visit, tmp_path: Path) -> None:
    write_difference(tmp_path / "difference.onnx")
    site = export_web(tmp_path / "difference.onnx", tmp_path / "site")
    random = np.random.default_rng(0)
    left, right = random.standard_normal((2, 4, 3)).astype(np.float32)
    np.savez_compressed(tmp_path / "inputs.npz", left=left, right=right, number=np.arange(4))
    with hosted(site.folder) as host, visit(host) as page:
        page.set_input_files("#file", tmp_path / "inputs.npz")
        page.wait_for_selector("#outputs:not([hidden])")
        outputs = json.loads(page.locator("#view").get_attribute("data-outputs") or "")
        np.testing.assert_allclose(outputs["difference"], left - right, rtol=1e-5, atol=1e-6)
        assert outputs["same"] == [0, 1, 2, 3]
        tops = page.eval_on_selector_all("ol.rows li", "items => items.map(item => Math.round(item.getBoundingClientRect().top))")
        assert len(tops) == 12
        assert [tops.count(top) for top in sorted(set(tops))] == [3, 3, 3, 3], "a row of the output is a row of the page"
        for place, text in enumerate(("[[1, 2]]", "[[0.5, 0.5, 0.5]]", "[7]")):
            page.locator("textarea").nth(place).fill(text)
        page.click("button.main")
        assert page.inner_text(".wrong-input") == "left: expected the shape [batch, 3], got [1, 2]"
        assert page.is_hidden("#outputs"), "of other inputs"
        assert faults_of(page) == []
        page.locator("textarea").nth(0).fill("[[1, 2, 3]]")
        page.click("button.main")
        page.wait_for_function("JSON.parse(document.querySelector('#view').dataset.outputs).same[0] === 7")
        outputs = json.loads(page.locator("#view").get_attribute("data-outputs") or "")
        assert outputs["difference"] == [[0.5, 1.5, 2.5]]


def write_colours(file: Path, layout: str) -> None:
    """A classifier of ``[1, 3, 24, 32]`` float32, or the same in NHWC: its logits are ten times the means of red, green and blue."""
    shape, axes = ([1, 3, 24, 32], [2, 3]) if layout == "NCHW" else ([1, 24, 32, 3], [1, 2])
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["mean"], axes=axes, keepdims=0),
        helper.make_node("Mul", ["mean", "ten"], ["logits"]),
    ]
    inputs = [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 3])]
    ten = helper.make_tensor("ten", TensorProto.FLOAT, [], [10.0])
    graph = helper.make_graph(nodes, "colours", inputs, outputs, [ten])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), file)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_a_colour_network_answers_to_pictures_and_the_camera(visit: Visit, tmp_path: Path, layout: str) -> None:
    from PIL import Image

    write_colours(tmp_path / "colours.onnx", layout)
    site = export_web(tmp_path / "colours.onnx", tmp_path / "site")
    about = json.loads((site.folder / "model.json").read_text())
    names = ["a red one", "a green one of a long name", "a blue one"]
    (site.folder / "model.json").write_text(json.dumps({**about, "labels": names}))
    for name, colour in (("red", (220, 30, 40)), ("blue", (10, 20, 200))):
        Image.new("RGB", (90, 60), colour).save(tmp_path / f"{name}.jpg")
    (tmp_path / "no.jpg").write_bytes(b"no picture")
    with hosted(site.folder) as host, visit(host) as page:
        assert faults_of(page) == []
        for name, best in (("red", names[0]), ("blue", names[2])):
            page.set_input_files("#file", tmp_path / f"{name}.jpg")
            page.wait_for_function(f"document.querySelector('#top').textContent === '{best}'", timeout=10_000)
        softmax = np.exp(np.array([10, 20, 200]) / 25.5)
        assert page.inner_text("#sure").startswith(f"confidence {100 * softmax[2] / softmax.sum():.1f} %")
        page.set_input_files("#file", tmp_path / "no.jpg")
        page.wait_for_selector(".alert")
        assert page.inner_text(".alert") == "expected a picture (JPEG, PNG, WebP), got no.jpg"
        assert page.inner_text("#top") == "?", "the old answer does not stay"
        assert faults_of(page) == []
        page.click("#camera")  # Chromium's own is green.
        page.wait_for_function(f"document.querySelector('#top').textContent === '{names[1]}'", timeout=10_000)
        assert page.locator(".alert").count() == 0, "the old error does not stay"
        page.click("#camera")
        assert page.inner_text("#camera") == "Camera"
        assert faults_of(page) == []


def test_an_old_error_does_not_stay(trained_cnn: Trained, samples: Path, visit: Visit, tmp_path: Path) -> None:
    site = export_web(trained_cnn.bundle / "onnx-int8", tmp_path / "site")
    (tmp_path / "no.npz").write_bytes(b"no samples")
    with hosted(site.folder) as host, visit(host) as page:
        answers(page, samples)
        page.set_input_files("#file", tmp_path / "no.npz")
        page.wait_for_selector(".alert")
        assert (page.inner_text("#top"), page.is_hidden("#samples")) == ("?", True)
        answers(page, samples)
        assert page.locator(".alert").count() == 0
        seen = "document.querySelector('#seen').getContext('2d').getImageData(0, 0, 8, 8).data"
        assert page.evaluate(f"Math.max(...[...{seen}].filter((_, place) => place % 4 === 0))") > 200, "the sample that is answered"


def test_what_was_written_is_what_was_said(trained_cnn: Trained, tmp_path: Path) -> None:
    site = export_web(trained_cnn.bundle / "onnx-int8", tmp_path / "site")
    assert {path.name: sha256_of(path) for path in site.folder.iterdir()} == site.files
    assert site.size_bytes == sum(path.stat().st_size for path in site.folder.iterdir())
    about = json.loads((site.folder / "model.json").read_text())
    assert about["image"] == {"height": 8, "width": 8, "channels": 1, "mean": [0.305], "std": [0.376], "layout": "NCHW"}
    assert about["labels"] == [str(digit) for digit in range(10)]
    assert about["files"]["model.onnx"] == sha256_of(trained_cnn.bundle / "onnx-int8" / "model.onnx")
    first = (site.folder / "sw.js").read_text()
    other = export_web(trained_cnn.bundle / "onnx-fp32", tmp_path / "other")
    assert (other.folder / "sw.js").read_text() != first, "another model is another version of the worker"


def test_a_wrong_artifact_or_folder_is_one_line_and_nothing_is_written(
    trained_cnn: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    for name in ("openvino-fp32", "pt2-fp32"):
        with pytest.raises(InputError, match="does not run in a browser: expected onnx or tflite"):
            export_web(trained_cnn.bundle / name, site)
    with pytest.raises(InputError):
        export_web(trained_cnn.bundle, site)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    with pytest.raises(InputError, match="is there already"):
        export_web(trained_cnn.bundle / "onnx-fp32", tmp_path / "mine")
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    with pytest.raises(MissingDependencyError, match="run: toolkit doctor --install browser"):
        export_web(trained_cnn.bundle / "onnx-fp32", site)
    assert not site.exists()
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_the_document_shows_what_the_command_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(toolkit, ["export", "web", str(ROOT / "models/alphago/nets/go-9x9/onnx-int8"), "--out", "site"])
    printed = "\n".join(line.rstrip() for line in result.output.strip().splitlines())
    assert printed in (ROOT / "docs" / "browser.md").read_text()
