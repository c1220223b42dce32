"""Every page that a command writes, looked at in Chromium: wide and narrow, light and dark."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner

from tests.conftest import Trained
from tests.pages import browser, faults_of_file
from tests.pipeline.reports import HOSTILE, many, measured
from tests.pipeline.test_devices import a_report
from toolkit.cli import toolkit
from toolkit.core import Verdict
from toolkit.pipeline.evaluate.drawing import tile_of
from toolkit.pipeline.report import write_html
from toolkit.pipeline.report.devices import merge, write_devices

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["browser"]
HEAD = '<!doctype html><meta name="color-scheme" content="light dark">'


def call(*words: str | Path, codes: tuple[int, ...] = (0,)) -> None:
    result = CliRunner().invoke(toolkit, [*map(str, words)])
    assert result.exit_code in codes, result.output


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("", ""),
        ("overflow: hidden; white-space: nowrap", "cut text"),
        ("margin-bottom: -1.2em", "overlaps"),
        ("white-space: nowrap; width: 3000px", "the document is"),
        ("color: #777; background: #666", "contrast"),
        ("font-size: 5px", "text of 5.0 px"),
    ],
)
def test_what_is_wrong_is_found(browser: Browser, tmp_path: Path, words: str, shown: str) -> None:
    text = "a line that is much longer than a narrow window is wide " * 3
    (tmp_path / "page.html").write_text(f'{HEAD}<main><div style="{words}">{text}</div><div>{text}</div></main>')
    found = faults_of_file(browser, tmp_path / "page.html")
    assert any(shown in fault for fault in found) if shown else found == []


@pytest.mark.parametrize(
    "text", ["$10^{-8}$", r"\mathrm{x}", "{{ value }}", "undefined", "NaN %", "None", "error 0.0e+00", "on 2026-01-01T00:00:00+00:00"]
)
def test_raw_text_is_found(browser: Browser, tmp_path: Path, text: str) -> None:
    (tmp_path / "page.html").write_text(f"{HEAD}<main><p>{text}</p></main>")
    assert len(faults_of_file(browser, tmp_path / "page.html")) == 4


def test_what_is_squeezed_or_left_out_is_found(browser: Browser, tmp_path: Path) -> None:
    image = base64.b64encode(tile_of(np.zeros((100, 100))).images[0]).decode()
    words = "a word " * 9
    (tmp_path / "page.html").write_text(
        f"{HEAD}<main><table><tr><td style='width: 30px; min-width: 0'>{words}</table>"
        f"<img alt='one' style='image-rendering: pixelated; width: 50px' src='data:image/png;base64,{image}'></main>"
    )
    found = faults_of_file(browser, tmp_path / "page.html")
    assert len(found) == 8
    assert any("lines in" in fault for fault in found)
    assert any("lines of a picture are left out: 'one'" in fault for fault in found)


def test_the_page_of_a_benchmark(browser: Browser, trained_cnn: Trained) -> None:
    assert faults_of_file(browser, trained_cnn.bundle / "report.html") == []


def test_the_page_of_a_benchmark_with_many_rows_and_failures(browser: Browser, tmp_path: Path) -> None:
    write_html(many(), tmp_path / "report.html")
    assert faults_of_file(browser, tmp_path / "report.html") == []


def test_the_page_of_several_devices(browser: Browser, trained_cnn: Trained, tmp_path: Path) -> None:
    report = trained_cnn.bundle / "benchmark.json"
    call("report", report, report, "--html", tmp_path / "devices.html")
    assert faults_of_file(browser, tmp_path / "devices.html") == []


def test_the_page_of_devices_where_something_failed(browser: Browser, tmp_path: Path) -> None:
    slow = a_report("AMD Ryzen 9 7950X 16-Core Processor", threads=32, factor=10, int8=Verdict.FAILED)
    reason = "accuracy drop +9.41 [+7.20, +11.62] points, n=1,797; the limit is 1 point"
    crashed = measured("tflite-fp16", "litert", 1, reason=f"litert crashed: no operator FULLY_CONNECTED version 12 {HOSTILE}", threads=32)
    evidence = tuple(replace(row, reason=reason) for row in slow.parity)
    slow = replace(slow, parity=evidence, measurements=(*slow.measurements, crashed))
    write_devices(merge([a_report("Intel(R) Xeon(R) Processor @ 2.90GHz", threads=2), slow]), tmp_path / "devices.html")
    assert faults_of_file(browser, tmp_path / "devices.html") == []


def test_the_page_of_a_comparison_of_layers(browser: Browser, trained_cnn: Trained, tmp_path: Path) -> None:
    call("debug", trained_cnn.bundle, "onnx-int8", "--out", tmp_path / "out", codes=(0, 1))
    assert faults_of_file(browser, tmp_path / "out" / "report.html") == []


def test_the_page_of_an_evaluation(browser: Browser, trained_cnn: Trained, tmp_path: Path) -> None:
    names = ",".join(f"a class of the name {number}" for number in range(10))
    call("evaluate", trained_cnn.bundle / "onnx-int8", "--labels", names, "--out", tmp_path / "out")
    assert faults_of_file(browser, tmp_path / "out" / "evaluation.html") == []
    assert "actual a class of the name 9" in (tmp_path / "out" / "evaluation.html").read_text()
