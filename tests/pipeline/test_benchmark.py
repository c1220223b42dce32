from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tiny import tiny_artifact, tiny_samples, with_parity
from toolkit.core import Artifact, Bundle, DataError, InputError, Precision, Samples, UnknownNameError, Verdict, install_command
from toolkit.core.measurement import BENCHMARK, BenchmarkReport, Measurement, Protocol, Scenario
from toolkit.pipeline.benchmark import BundleInterrupted, benchmark_bundle, join_parity, keep_report, plan_settings, read_report
from toolkit.pipeline.recommend import recommend
from toolkit.pipeline.report import table_rows
from toolkit.runtimes import find_runtime, runtimes_for

QUICK = Protocol(rounds=3, min_seconds=0.01, warmup_seconds=0.005, warmup_calls=1)


def a_bundle(folder: Path) -> Bundle:
    with_parity(tiny_artifact(folder, Precision.FP32))
    with_parity(tiny_artifact(folder, Precision.INT8, seed=1), Verdict.FAILED, drop=3)
    return Bundle.load(folder)


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, BenchmarkReport]:
    bundle = a_bundle(tmp_path_factory.mktemp("measured") / "tiny")
    broken = tiny_artifact(bundle.path, Precision.FP16)
    broken.model_file.write_bytes(b"cut")
    fixed = tiny_artifact(bundle.path, Precision.INT8_WEIGHTS, batch=3)
    assert fixed.manifest.signature.inputs[0].shape == (3, 64)
    return bundle, benchmark_bundle(bundle, tiny_samples(), protocol=QUICK, engines=["onnxruntime"], threads=(1,), streams=(2,))


def test_the_report_holds_every_artifact(measured: tuple[Bundle, BenchmarkReport]) -> None:
    _, report = measured
    assert report.complete
    assert report.model == "tiny"
    good = {(m.setting.artifact, m.setting.scenario.value) for m in report.measurements if m.ok}
    assert good == {(name, scenario) for name in ("onnx-fp32", "onnx-int8") for scenario in ("single-stream", "offline")}
    reasons = {(m.setting.artifact, m.reason) for m in report.measurements if not m.ok}
    assert ("onnx-int8-weights", "the model's batch is fixed at 3") in reasons
    assert any(name == "onnx-fp16" and "is not the file its manifest describes" in reason for name, reason in reasons)
    assert all(not Path(m.setting.folder).is_absolute() for m in report.measurements), "a report does not tell where it was made"
    assert report.samples == "random"


def test_the_report_is_in_the_bundle_and_reads_back(measured: tuple[Bundle, BenchmarkReport]) -> None:
    bundle, report = measured
    assert not (bundle.path / BENCHMARK).exists(), "it is the caller's to keep"
    keep_report(bundle, report)
    again = read_report(bundle.path)
    (bundle.path / "copy.json").write_bytes((bundle.path / BENCHMARK).read_bytes())
    (bundle.path / BENCHMARK).unlink()
    assert again == report == read_report(bundle.path / "copy.json")
    assert table_rows(again) == table_rows(report)
    assert recommend(again) == recommend(report)
    assert len(list(bundle)) == 4, "the report is no artifact"


def test_parity_is_joined_by_hash_and_engine(measured: tuple[Bundle, BenchmarkReport]) -> None:
    _, report = measured
    verdicts = {(m.setting.artifact, row.verdict) for m in report.measurements if m.ok and (row := report.parity_of(m))}
    assert verdicts == {("onnx-fp32", Verdict.PASSED), ("onnx-int8", Verdict.FAILED)}


def test_what_failed_parity_is_not_recommended(measured: tuple[Bundle, BenchmarkReport]) -> None:
    _, report = measured
    chosen = recommend(report)
    assert (chosen.artifact, chosen.engine) == ("onnx-fp32", "onnxruntime")
    assert "baseline itself" in chosen.reason
    assert "a drop of 0.10 [-0.10, 0.30] points on 1000 samples" in chosen.reason


def test_the_task_metric_is_that_against_the_trained_model(tmp_path: Path) -> None:
    artifact = with_parity(with_parity(tiny_artifact(tmp_path), drop=0.7, reference="a step on the way"), Verdict.UNDECIDED, drop=0.3)
    settings = plan_settings([artifact], engines=["onnxruntime"]).settings
    (row,) = join_parity([artifact], [Measurement(setting) for setting in settings])
    assert row.verdict is Verdict.UNDECIDED, "the worst verdict counts"
    assert row.task is not None
    assert row.task.drop == 0.3


def test_evidence_about_other_files_does_not_count(tmp_path: Path) -> None:
    artifact = with_parity(tiny_artifact(tmp_path))
    stale = artifact.with_evidence(tuple(replace(report, candidate="old") for report in artifact.manifest.evidence))
    report = benchmark_bundle(Bundle(tmp_path), tiny_samples(), protocol=replace(QUICK, rounds=1), engines=["onnxruntime"], threads=(1,))
    assert stale.verdict is None
    (row,) = table_rows(report)
    assert row.parity == "not verified"
    assert "toolkit verify" in recommend(report).reason


def test_ctrl_c_gives_a_partial_report_and_writes_nothing(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path / "tiny")
    (bundle.path / BENCHMARK).write_text("the old one")
    with pytest.raises(BundleInterrupted) as caught:
        benchmark_bundle(
            bundle,
            tiny_samples(),
            protocol=QUICK,
            engines=["onnxruntime"],
            threads=(1,),
            on_progress=lambda progress: signal.raise_signal(signal.SIGINT) if progress.done == 3 else None,
        )
    report = caught.value.report
    assert not report.complete
    assert sum(len(m.rounds) for m in report.measurements) == 3
    assert "too few rounds" in {row.speed for row in table_rows(report)}
    assert BenchmarkReport.from_json(report.to_json()) == report
    assert (bundle.path / BENCHMARK).read_text() == "the old one"


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> list[Artifact]:
    folder = tmp_path_factory.mktemp("plan")
    return [tiny_artifact(folder, precision) for precision in (Precision.FP32, Precision.INT8, Precision.BF16)]


def test_the_plan_is_every_artifact_in_every_cell(artifacts: list[Artifact]) -> None:
    plan = plan_settings(artifacts[:2], engines=["onnxruntime"], threads=(1, 2), batches=(1, 32, 32), streams=(2, 4), offline_batch=16)
    single = [(s.artifact, s.threads, s.batch) for s in plan.settings if s.scenario is Scenario.SINGLE_STREAM]
    assert single == [(name, threads, batch) for name in ("onnx-fp32", "onnx-int8") for threads in (1, 2) for batch in (1, 32)]
    offline = {(s.threads, s.batch, s.streams) for s in plan.settings if s.scenario is Scenario.OFFLINE}
    assert offline == {(2, 16, 2), (4, 16, 4)}
    assert plan.skipped == ()


def test_an_artifact_is_measured_where_it_was_verified_and_everywhere_when_asked(artifacts: list[Artifact]) -> None:
    assert {s.engine for s in plan_settings(artifacts[:1]).settings} == {"onnxruntime"}
    installed = {r.name for r in runtimes_for(artifacts[0].manifest.format)}
    assert {s.engine for s in plan_settings(artifacts[:1], engines=["all"]).settings} == installed


def test_an_artifact_without_an_engine_is_a_row_with_its_reason(artifacts: list[Artifact]) -> None:
    plan = plan_settings(artifacts, engines=["litert"])
    assert plan.settings == ()
    assert [m.setting.engine for m in plan.skipped] == [""] * 3
    assert plan.skipped[0].reason.startswith("none of the engines asked for runs onnx-fp32; onnxruntime")
    assert plan.skipped[0].size_bytes > 0
    bf16 = plan_settings(artifacts[2:], engines=["onnxruntime"])
    assert bf16.settings == ()


def test_an_engine_that_is_not_installed_names_the_command(artifacts: list[Artifact], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(find_runtime("onnxruntime")), "module", "no_such_module")
    (row,) = plan_settings(artifacts[:1], engines=["onnxruntime"]).skipped
    assert row.reason == f"onnxruntime not installed; run: {install_command(find_runtime('onnxruntime').extra)}"


def test_bad_requests_are_refused(artifacts: list[Artifact], tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'onnxruntime'"):
        plan_settings(artifacts, engines=["onnxruntim"])
    with pytest.raises(InputError, match="threads: expected at least 1, got 0"):
        plan_settings(artifacts, threads=(0,))
    with pytest.raises(InputError, match="toolkit benchmark"):
        read_report(tmp_path)


def test_samples_that_fit_no_artifact_are_refused(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path)
    with pytest.raises(DataError, match="are empty"):
        benchmark_bundle(bundle, tiny_samples().rows(slice(0, 0)), protocol=QUICK, engines=["onnxruntime"])
    with pytest.raises(DataError, match="do not fit"):
        benchmark_bundle(bundle, Samples({"x": tiny_samples().inputs["x"][:, :3]}), protocol=QUICK, engines=["onnxruntime"])
