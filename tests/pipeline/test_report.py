"""The page of a benchmark, and what stands in its rows."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.pipeline.reports import HOSTILE, Page, a_report, among_equals, many, measured, parity, single
from toolkit.cli.benchmark import show
from toolkit.core import Interval, Precision, TaskMetric
from toolkit.core.measurement import BenchmarkReport, Protocol, Scenario
from toolkit.pipeline import text as words
from toolkit.pipeline.recommend import recommend
from toolkit.pipeline.report import render_html, table_rows, write_html
from toolkit.pipeline.report.html import _point
from toolkit.pipeline.report.plot import Point, pareto_front, pareto_svg


@pytest.mark.parametrize("precision", Precision)
def test_every_precision_has_its_colours(precision: Precision) -> None:
    html = render_html(single())
    assert len(re.findall(rf"--p-{precision}: #[0-9a-f]{{6}};", html)) == 3, "light, dark, and as chosen"


@pytest.mark.parametrize("report", [many(), single(), a_report()], ids=["many", "one row", "no row"])
def test_the_page_is_whole_and_needs_nothing_else(report: BenchmarkReport) -> None:
    html = render_html(report)
    page = Page(html)
    assert re.findall(r"https?:", html) == []
    assert re.findall(r"\burl\((?!#)", html) == [], "only references inside the page"
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed"}
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes), "no event handlers"
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids)), "an id is unique"
    references = set(re.findall(r'(?:href="#|url\(#)([^")]+)', html)) | set(re.findall(r'aria-labelledby="([^"]+)"', html))
    assert references <= set(ids)
    assert not re.findall(r"#0[1-4]0[0-4]0[0-9a-f]\b", html), "no stand-in colour is left"


@pytest.fixture(scope="module")
def full_page() -> str:
    return render_html(many())


def test_every_row_is_on_the_page(full_page: str) -> None:
    report = many()
    page = Page(full_page)
    cells = [tuple(row) for row in page.rows]
    for row in table_rows(report):
        engine = row.engine if row.engine != words.NONE else ""
        first = f"{row.artifact} ★{engine}, recommended" if row.recommended else f"{row.artifact}{engine}"
        if not row.ok:
            assert any(c[0] == first and row.note in c[-1] for c in cells), row
        elif row.scenario is Scenario.OFFLINE:
            assert any(c[0] == first and row.throughput in c for c in cells), row
        else:
            assert any(c[0] == first and row.latency in c and row.size in c and row.load in c and row.first_call in c for c in cells), row
    everything = " ".join(page.words)
    assert all(evidence.reason in everything for evidence in report.parity)
    for part in (recommend(report).note, report.machine.cpu, "Warm-up of a round", report.machine.fingerprint):
        assert part in everything


def test_hostile_names_are_text(full_page: str) -> None:
    html = full_page
    assert "<script" not in html.lower()
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 4
    hostile = single()
    evidence = hostile.parity[0]
    assert evidence.task is not None
    task = replace(evidence.task, name=f'"{HOSTILE}$x$')
    html = render_html(replace(hostile, parity=(replace(evidence, task=task),)))
    assert "<script" not in html.lower()
    Page(html)


def test_tables_and_pictures_speak_to_screen_readers(full_page: str) -> None:
    page = Page(full_page)
    assert all("scope" in attributes for tag, attributes in page.tags if tag == "th")
    pictures = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(pictures) == 8, "four settings with accuracy, each wide and narrow"
    assert all(a["role"] == "img" and "accuracy against latency" in (a["aria-label"] or "") for a in pictures)
    assert ("html", {"lang": "en"}) in page.tags


def test_a_partial_report_says_so() -> None:
    assert "interrupted" in render_html(replace(single(), complete=False))
    assert "interrupted" not in render_html(single())


def test_without_accuracy_the_page_names_the_command() -> None:
    html = render_html(a_report(measured("onnx-fp32", "onnxruntime", 1e4)))
    assert html.count("Nothing to recommend") == 1
    assert "toolkit verify" in html
    assert "<svg" not in html


def test_an_error_is_no_accuracy(capsys: pytest.CaptureFixture[str]) -> None:
    """A word error rate stood under "accuracy", "up" was better, and its rise was a drop."""
    task = TaskMetric("word error rate", 100, 0.07, 0.0731, 0.31, -0.2, 0.8, 3, higher_is_better=False)
    row = replace(parity("onnx-fp32", "onnxruntime"), task=task)
    report = a_report(measured("onnx-fp32", "onnxruntime", 1e4), evidence=(row,))
    html = render_html(report)
    assert "accuracy" not in html.lower()
    for shown in (
        "<dt>Word error rate</dt>",
        "<dt>Rise, points [95 %]</dt>",
        "Down and left is better.",
        "Word error rate <small>rise in points<",
    ):
        assert shown in html
    show(report)
    told = capsys.readouterr().out
    assert "accuracy" not in told
    assert "metric: word error rate, lower is better" in told


def test_the_file_is_written_whole(tmp_path: Path) -> None:
    write_html(single(), tmp_path / "deep" / "report.html")
    assert (tmp_path / "deep" / "report.html").read_text().rstrip().endswith("</html>")
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["report.html"]


def test_rows_are_sorted_by_setting_then_speed() -> None:
    report = a_report(
        replace(measured("onnx-int8", "onnxruntime", 1.0), reason="failed"),
        measured("onnx-fp32", "onnxruntime", 3e4, threads=2),
        measured("onnx-fp16", "onnxruntime", 2e4),
        measured("onnx-fp32", "onnxruntime", 1e4),
    )
    assert [(row.artifact, row.threads, row.ok) for row in table_rows(report)] == [
        ("onnx-fp32", 1, True),
        ("onnx-fp16", 1, True),
        ("onnx-fp32", 2, True),
        ("onnx-int8", 1, False),
    ]
    offline = [measured("onnx-fp32", "onnxruntime", ns, spread=0, scenario=Scenario.OFFLINE, batch=b) for ns, b in ((2e4, 8), (1e4, 8))]
    assert [row.throughput[:3] for row in table_rows(a_report(*offline), scenario=Scenario.OFFLINE)] == ["800", "400"]


def test_a_row_warns_of_what_is_not_as_asked() -> None:
    many_threads = measured("onnx-fp32", "onnxruntime", 1e4, threads=8)
    fewer = measured("onnx-int8", "onnxruntime", 1e4, threads=2, rounds=3)
    fewer = replace(fewer, actual={**fewer.actual, "threads": 1})
    notes = {row.artifact: row.note for row in table_rows(a_report(many_threads, fewer))}
    assert notes == {"onnx-fp32": "8 threads asked for, 2 available", "onnx-int8": "the engine used 1 threads; 3 of 5 rounds"}


def test_a_percentile_of_few_calls_is_too_few() -> None:
    few = measured("onnx-fp32", "onnxruntime", 40_000.0, spread=0)
    row = table_rows(a_report(few))[0]
    assert (row.p90, row.p99) == ("52.0 µs", "52.0 µs")
    few = replace(few, rounds=few.rounds[:2])
    assert (table_rows(a_report(few))[0].p90, table_rows(a_report(few))[0].p99) == ("52.0 µs", "too few")


def test_the_answer_stands_once_on_the_page() -> None:
    words = " ".join(Page(render_html(among_equals(int8=100_000, fp32=400_000))).words)
    assert words.count("Ship ") == 1
    assert words.count("Statistically tied") == 1


def test_a_caption_speaks_only_of_what_is_drawn(full_page: str) -> None:
    html = render_html(single())
    assert "Hollow" not in html
    assert "dashed" not in html, "one point is no front"
    assert "Hollow" in full_page


def test_one_round_has_no_interval_and_the_protocol_has_units() -> None:
    report = replace(a_report(measured("onnx-fp32", "onnxruntime", 4e4, rounds=1)), protocol=Protocol(rounds=1))
    page = Page(render_html(report))
    assert ["onnx-fp32onnxruntime", "40.8 µs"] in [row[:2] for row in page.rows]
    words = " ".join(page.words)
    assert "0.3 s and 16 calls" in words
    assert "timeout s" not in words


def test_what_no_engine_takes_has_no_dashes_for_an_engine_and_a_setting(full_page: str) -> None:
    (row,) = (row for row in Page(full_page).rows if row[-1] == "torch not installed")
    assert row == ["pt2-fp32", "all", "torch not installed"]


def test_a_label_stands_at_its_own_mark() -> None:
    """That of the recommended point stood beneath the next two, which were only a little slower."""
    latencies = {"tflite-fp32": 10.2, "tflite-fp16": 12.6, "onnx-fp32": 16.6, "openvino-int8": 113.0}
    points = [
        Point(name, "litert", Precision.FP32, (at, at, at), (97.4, 96.8, 97.9), passed=True, recommended=at == 10.2)
        for name, at in latencies.items()
    ]
    svg = pareto_svg(points, title="t", metric="accuracy", width=9.4, height=4.6, all_labels=True)
    found = re.search(r'style="([^"]*)"[^>]*>tflite-fp32</text>', svg)
    assert found is not None
    assert "text-anchor: middle" in found[1] or "text-anchor: end" in found[1], "beneath its mark or at its left"
    assert {name for name in latencies if f">{name}</text>" in svg} == set(latencies)


def test_no_share_is_above_100_percent() -> None:
    """An interval of a difference, added to a reference near the top, is cut there, and so are the ticks of the axis."""
    task = TaskMetric("accuracy", 100, 0.99, 1.0, -1.0, -3.0, 1.0, 0)
    row = replace(parity("onnx-fp32", "onnxruntime"), task=task)
    html = render_html(a_report(measured("onnx-fp32", "onnxruntime", 1e4), evidence=(row,)))
    ticks = [float(word) for word in re.findall(r">(\d{2,3}(?:\.\d+)?)</text>", html)]
    assert max(ticks) == 100.0
    assert _point(measured("onnx-fp32", "onnxruntime", 1e4), a_report(evidence=(row,)), recommend(single()), with_engine=False).quality == (
        100.0,
        98.0,
        100.0,
    )


def test_pareto_front() -> None:
    def point(latency: float, accuracy: float, *, passed: bool = True) -> Point:
        return Point("", "", Precision.FP32, (latency, latency, latency), (accuracy, accuracy, accuracy), passed)

    a, b, c = point(1, 80), point(2, 90), point(3, 95)
    assert pareto_front([c, point(2.5, 85), point(0.5, 99, passed=False), b, a, point(3, 94), point(4, 95)]) == (a, b, c)
    assert pareto_front([]) == ()


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (words.duration(950), "950 ns"),
        (words.duration(39_249), "39.2 µs"),
        (words.duration(1_240_000), "1.24 ms"),
        (words.duration(3.4e9), "3.40 s"),
        (words.duration_interval(Interval(39_249, 8_000, 140_100)), "39.2 [8.0, 140.1] µs"),
        (words.duration_interval(Interval(999, 998, 1001)), "999 [998, 1001] ns"),
        (words.duration_interval(Interval(39_249, 39_249, 39_249)), "39.2 µs"),
        (words.rate_interval(Interval(12_345, 12_000, 13_000)), "12.3 [12.0, 13.0] k/s"),
        (words.rate_interval(Interval(12_345, 12_345, 12_345)), "12.3 k/s"),
        (words.moment("2026-11-25T18:03:07+00:00"), "2026-11-25 18:03 UTC"),
        (words.moment("2026-11-25T18:03:07+02:00"), "2026-11-25 18:03 +0200"),
        (words.moment("yesterday"), "yesterday"),
        (words.ratio_interval(Interval(1.3, 1.25, 1.349)), "1.30 [1.25, 1.35]×"),
        (words.size(512), "512 B"),
        (words.size(1.5 * 2**20), "1.50 MiB"),
        (words.drop(TaskMetric("a", 1, 1, 1, -0.001, -0.2, 0.2, 0)), "0.00 [-0.20, 0.20]"),
        (words.accuracy(TaskMetric("a", 1, 1, 0.88754, 0, 0, 0, 0)), "88.75 %"),
    ],
)
def test_numbers_as_people_read_them(found: str, expected: str) -> None:
    assert found == expected
