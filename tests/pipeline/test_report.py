from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from toolkit.cli.benchmark import show
from toolkit.core import Interval, Precision, TaskMetric, Verdict, this_machine
from toolkit.core.measurement import BenchmarkReport, Measurement, ParityRow, Protocol, Round, Scenario, Setting
from toolkit.pipeline import text as words
from toolkit.pipeline.recommend import Prefer, recommend
from toolkit.pipeline.report import render_html, table_rows, write_html
from toolkit.pipeline.report.html import _point
from toolkit.pipeline.report.plot import Point, pareto_front, pareto_svg

HOSTILE = "<script>alert(1)</script>"
VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """Checks that tags close in order, and collects what the tests ask about."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(html)
        self.close()
        assert self.open == [], "every tag is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)
        if self.open[-1:] and self.rows and ("td" in self.open or "th" in self.open):
            self.rows[-1][-1] += data


def measured(
    artifact: str, engine: str, base_ns: float, *, spread: float = 0.01, rounds: int = 5, reason: str = "", **cell: Any
) -> Measurement:
    setting = replace(Setting(artifact, artifact, f"sha-{artifact}", engine), **cell)
    drift = [1.0, 1.3, 0.8, 1.1, 0.9]  # the same for all: what a machine's mood does to a round
    values = [base_ns * drift[i] * (1 + spread * ((i * 7 + len(artifact)) % 5 - 2)) for i in range(rounds)]
    found = tuple(
        Round(
            index=i,
            order=i,
            calls=300,
            stride=1,
            latency_ns=(int(v),) * 300,
            median_ns=v,
            mean_ns=v,
            p90_ns=v,
            p99_ns=v,
            min_ns=int(v),
            samples_per_s=setting.batch * 1e9 / v,
            warmup_calls=10,
            warmup_ns=1,
            import_ns=1,
            load_ns=4_000_000,
            first_call_ns=300_000,
            memory_bytes=5 << 20,
            bare_memory_bytes=1,
        )
        for i, v in enumerate(values)
    )
    return Measurement(setting, found, 400_000, {"device": setting.device, "threads": setting.threads_per_stream}, reason)


def parity(artifact: str, engine: str, *, drop: float = 0.1, verdict: Verdict = Verdict.PASSED, task: bool = True) -> ParityRow:
    metric = TaskMetric("accuracy", 10000, 0.8862, 0.8862 - drop / 100, drop, drop - 0.2, drop + 0.2, 5)
    return ParityRow(f"sha-{artifact}", engine, "cpu", verdict, f"why {artifact}", metric if task else None, 0.998, 42.0)


def a_report(*measurements: Measurement, evidence: tuple[ParityRow, ...] = (), model: str = "cnn") -> BenchmarkReport:
    machine = replace(this_machine(), threads=2)
    return BenchmarkReport(model, machine, "2026-01-01T00:00:00+00:00", 0.5, 0.6, Protocol(), measurements, evidence, "digits", "ab" * 32)


def many() -> BenchmarkReport:
    """Seventy-five settings over five cells, with failures and hostile names."""
    names = [
        (f"{f}-{p}", e)
        for f, e in (("onnx", "onnxruntime"), ("openvino", "openvino"), ("tflite", "litert"))
        for p in ("fp32", "fp16", "int8")
    ]
    names += [("openvino-bf16", "openvino"), ("onnx-int8-dynamic", "onnxruntime"), ("onnx-int8-weights", "onnxruntime")]
    names += [("onnx-int4-weights", "onnxruntime"), ("tflite-int16x8", "litert"), ("onnx-int8-entropy", "onnxruntime")]
    cells: list[dict[str, Any]] = [{"threads": t, "batch": b} for t in (1, 2) for b in (1, 32)]
    cells.append({"threads": 2, "batch": 32, "streams": 2, "scenario": Scenario.OFFLINE})
    rows = [measured(n, e, 10_000.0 * (k + 1), **cell) for cell in cells for k, (n, e) in enumerate(names)]
    rows[7] = replace(rows[7], reason=f"crashed {HOSTILE}")
    evidence = [parity(n, e, drop=0.1 * k) for k, (n, e) in enumerate(names)]
    evidence[5] = replace(evidence[5], verdict=Verdict.FAILED, reason=HOSTILE)
    return a_report(
        *rows, Measurement(Setting("x", "pt2-fp32", "s", ""), reason="torch not installed"), evidence=tuple(evidence), model=HOSTILE
    )


def single() -> BenchmarkReport:
    return a_report(measured("onnx-fp32", "onnxruntime", 40_000.0), evidence=(parity("onnx-fp32", "onnxruntime", drop=0.0),))


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


def test_the_fastest_that_passed_is_recommended() -> None:
    report = a_report(
        measured("onnx-fp32", "onnxruntime", 40_000.0),
        measured("tflite-int8", "litert", 10_000.0),
        measured("openvino-int8", "openvino", 20_000.0),
        evidence=(
            parity("onnx-fp32", "onnxruntime", drop=0.0),
            parity("tflite-int8", "litert", drop=3.0, verdict=Verdict.FAILED),
            parity("openvino-int8", "openvino"),
        ),
    )
    chosen = recommend(report)
    assert (chosen.artifact, chosen.engine) == ("openvino-int8", "openvino")
    row = next(row for row in table_rows(report) if row.recommended)
    for part in (row.latency, row.ratio, row.drop, row.size, "88.52 %", "batch 1 with 1 thread"):
        assert part in chosen.reason
    assert row.speed == "faster"
    assert chosen.note == ""


def among_equals(**sizes: int) -> BenchmarkReport:
    """Two that cannot be told apart, and a third that is slower; sizes in bytes by precision."""
    int8, fp32 = measured("tflite-int8", "litert", 10_000.0, spread=0.05), measured("tflite-fp32", "litert", 10_050.0, spread=-0.05)
    return a_report(
        replace(int8, size_bytes=sizes["int8"]),
        replace(fp32, size_bytes=sizes["fp32"]),
        measured("onnx-fp32", "onnxruntime", 40_000.0),
        evidence=(parity("tflite-int8", "litert"), parity("tflite-fp32", "litert"), parity("onnx-fp32", "onnxruntime")),
    )


@pytest.mark.parametrize(
    ("prefer", "sizes", "artifact", "why"),
    [
        (Prefer.SIZE, {"int8": 100_000, "fp32": 400_000}, "tflite-int8", "it has the smallest file of them"),
        (Prefer.SIZE, {"int8": 100_000, "fp32": 101_000}, "tflite-fp32", "it has the highest precision of them"),
        (Prefer.PRECISION, {"int8": 100_000, "fp32": 400_000}, "tflite-fp32", "it has the highest precision of them"),
    ],
)
def test_what_decides_among_equals(prefer: Prefer, sizes: dict[str, int], artifact: str, why: str) -> None:
    chosen = recommend(among_equals(**sizes), prefer=prefer)
    other = "tflite-fp32" if artifact == "tflite-int8" else "tflite-int8"
    assert (chosen.artifact, chosen.note) == (artifact, f"Statistically tied with {other} with litert; {why}.")
    assert chosen.reason.endswith(f". {chosen.note}")


def test_among_equals_the_lowest_median_may_decide() -> None:
    report = among_equals(int8=100_000, fp32=400_000)
    chosen = recommend(report, prefer=Prefer.LATENCY)
    assert chosen.measurement is min(report.measurements, key=lambda m: m.latency_ns.value)
    assert chosen.note.endswith("; it has the lowest median of them.")


def test_after_one_round_only_what_is_near_is_tied() -> None:
    near = measured("onnx-int8", "onnxruntime", 40_000.0, rounds=1, spread=0)
    far = replace(measured("tflite-int8", "litert", 50_000.0, rounds=1, spread=0), size_bytes=1)
    report = a_report(near, far, evidence=(parity("onnx-int8", "onnxruntime"), parity("tflite-int8", "litert")))
    assert (recommend(report).artifact, recommend(report).note) == ("onnx-int8", "")


def test_among_equals_in_size_and_precision_fewer_threads_then_the_median_decide() -> None:
    one, two = (measured("onnx-fp32", "onnxruntime", ns, spread=s, threads=t) for t, ns, s in ((1, 10_050.0, 0.05), (2, 10_000.0, -0.05)))
    evidence = (parity("onnx-fp32", "onnxruntime"), parity("tflite-fp32", "litert"))
    chosen = recommend(a_report(one, two, evidence=evidence))
    assert chosen.measurement is one
    assert "(threads: 2); it needs the fewest threads of them" in chosen.reason
    other = measured("tflite-fp32", "litert", 10_000.0, spread=-0.05)
    chosen = recommend(a_report(one, other, evidence=evidence))
    assert chosen.measurement is min((one, other), key=lambda m: m.latency_ns.value)
    assert "lowest median of them" in chosen.reason


def test_among_equals_in_size_and_precision_the_engine_that_is_imported_sooner_decides() -> None:
    def of(engine: str, ns: float, import_s: float, **cell: Any) -> Measurement:
        made = measured("tflite-fp32", engine, ns, spread=-0.05 if engine == "litert" else 0.05, **cell)
        return replace(made, rounds=tuple(replace(each, import_ns=int(import_s * 1e9)) for each in made.rounds))

    evidence = (parity("tflite-fp32", "litert"), parity("tflite-fp32", "tensorflow"))
    light, heavy = of("litert", 10_050.0, 0.1, threads=2), of("tensorflow", 10_000.0, 6.0, threads=1)
    assert heavy.latency_ns.value < light.latency_ns.value
    chosen = recommend(a_report(light, heavy, evidence=evidence))
    assert chosen.engine == "litert", "though it is the slower one by its median, and has more threads"
    assert "; its engine is imported the soonest of them." in chosen.note
    chosen = recommend(a_report(light, of("tensorflow", 10_000.0, 0.3, threads=1), evidence=evidence))
    assert (chosen.engine, "fewest threads" in chosen.note) == ("tensorflow", True), "nobody feels a fifth of a second"


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


def test_nothing_is_recommended_where_too_few_samples_were_compared() -> None:
    rows = [measured(name, "onnxruntime", 40_000.0) for name in ("onnx-fp32", "onnx-int8")]
    for verdict, told in (
        (Verdict.UNDECIDED, "; too few samples to decide on onnx-int8. Run: toolkit verify"),
        (Verdict.FAILED, ". Run: toolkit verify"),
    ):
        evidence = (parity("onnx-fp32", "onnxruntime", verdict=Verdict.FAILED), parity("onnx-int8", "onnxruntime", verdict=verdict))
        found = recommend(a_report(*rows, evidence=evidence))
        assert (found.artifact, found.reason) == ("", f"Nothing to recommend: no measured artifact has passed parity{told}")


def test_the_recommendation_is_for_the_batch_and_threads_asked_for() -> None:
    cells = [(t, b) for t in (1, 2, 8) for b in (1, 32)]
    rows = [measured("onnx-fp32", "onnxruntime", 1e6 * b / t, threads=t, batch=b) for t, b in cells]
    report = a_report(*rows, evidence=(parity("onnx-fp32", "onnxruntime"),))

    def setting(*, threads: int | None = None, batch: int = 1) -> tuple[int, int]:
        found = recommend(report, threads=threads, batch=batch).measurement
        assert found is not None
        return found.setting.threads, found.setting.batch

    assert setting() == (2, 1), "eight threads are more than the machine has"
    assert setting(threads=1, batch=32) == (1, 32)
    assert setting(threads=8) == (8, 1), "asked for by name"
    assert setting(batch=7) == (2, 1)
    assert recommend(report, threads=5).artifact == ""


def test_two_rounds_say_that_they_are_too_few() -> None:
    report = a_report(
        measured("onnx-fp32", "onnxruntime", 4e4, rounds=2),
        measured("onnx-int8", "onnxruntime", 1e4, rounds=2),
        evidence=(parity("onnx-int8", "onnxruntime", task=False),),
    )
    reason = recommend(report).reason
    assert "from too few rounds to be sure" in reason
    assert "no task metric" in reason


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
