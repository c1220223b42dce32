"""`toolkit.load` on bundles: by the stored benchmark of this machine, else by a quick one; nothing stale, nothing unverified."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import toolkit
from tests.conftest import Trained
from tests.tiny import FEATURES, tiny_artifact, tiny_samples, with_parity
from toolkit.core import (
    MANIFEST,
    Artifact,
    ArtifactError,
    Bundle,
    DeviceError,
    InputError,
    Precision,
    ToolkitWarning,
    UnknownNameError,
    Verdict,
    instruction_sets,
    this_machine,
    write_file,
)
from toolkit.core.measurement import BENCHMARK, BenchmarkReport, Measurement, Protocol
from toolkit.pipeline.benchmark import benchmark_bundle
from toolkit.pipeline.load import candidates
from toolkit.runtimes.isolated import IsolatedSession

FRESH = """
import sys
import toolkit
with toolkit.load(sys.argv[1]) as session:
    print(session.actual.engine, *sorted({"onnxruntime", "openvino", "tensorflow", "torch"} & set(sys.modules)))
"""
ISOLATED = """
import sys
import numpy as np
import toolkit
with toolkit.load(sys.argv[1], isolated=True) as session:
    here = sorted({"onnxruntime", "openvino", "tensorflow", "torch"} & set(sys.modules))
    session.run(np.zeros((1, int(sys.argv[2])), np.float32))
    print(session.actual.engine, *here)
"""
X = np.random.default_rng(3).standard_normal((1, FEATURES)).astype(np.float32)
SEEDS = {Precision.FP32: 1, Precision.FP16: 2, Precision.INT8: 3}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own for each test, which measures anew."""
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def answer(seed: int, folder: Path) -> np.ndarray:
    """What the artifact of this seed says: bundles hold a different net in each artifact, which tells them apart."""
    with toolkit.load(tiny_artifact(folder / f"seed-{seed}", seed=seed).path) as session:
        return session.run(X)[0]


def chosen(bundle: Path, tmp_path: Path, **options: int) -> str:
    with toolkit.load(bundle, **options) as session:  # type: ignore[arg-type]
        assert isinstance(session, IsolatedSession) is bool(options.get("isolated"))
        got = session.run(X)[0]
    (name,) = [f"onnx-{precision}" for precision, seed in SEEDS.items() if np.array_equal(got, answer(seed, tmp_path))]
    return name


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> BenchmarkReport:
    """A real report about three tiny artifacts, whose figures tests then change."""
    bundle = tmp_path_factory.mktemp("load") / "net"
    a_bundle(bundle)
    protocol = Protocol(rounds=3, min_seconds=0.005, warmup_seconds=0.001, warmup_calls=1)
    return benchmark_bundle(Bundle.load(bundle), tiny_samples(), protocol=protocol, engines=["onnxruntime"])


def a_bundle(folder: Path) -> Path:
    for precision, seed in SEEDS.items():
        with_parity(tiny_artifact(folder, precision, seed=seed))
    return folder


def store(report: BenchmarkReport, bundle: Path, medians: Mapping[str, float]) -> None:
    """Write the report with each artifact's rounds at the given median, in ns."""

    def at(measurement: Measurement) -> Measurement:
        median = medians[measurement.setting.artifact]
        return replace(measurement, rounds=tuple(replace(r, median_ns=median * (1 + r.index / 1000)) for r in measurement.rounds))

    write_file(bundle / BENCHMARK, replace(report, measurements=tuple(map(at, report.measurements))).to_json())


@pytest.mark.parametrize("fastest", ["onnx-fp32", "onnx-fp16", "onnx-int8"])
def test_the_stored_benchmark_of_this_machine_decides(tmp_path: Path, measured: BenchmarkReport, fastest: str) -> None:
    bundle = a_bundle(tmp_path / "net")
    store(measured, bundle, {f"onnx-{p}": 9000.0 for p in SEEDS} | {fastest: 1000.0})
    assert chosen(bundle, tmp_path) == fastest
    assert chosen(bundle, tmp_path, isolated=True) == fastest


@pytest.mark.parametrize("part", [".", "onnx-fp32", "onnx-fp32/model.onnx"])
def test_an_isolated_engine_is_not_imported_here(tmp_path: Path, part: str) -> None:
    bundle = with_parity(tiny_artifact(tmp_path / "net")).path.parent
    command = [sys.executable, "-W", "error", "-c", ISOLATED, str(bundle / part), str(FEATURES)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("onnxruntime\n", "")


def test_what_a_bundle_was_made_to_ship_is_opened_with_its_threads(tmp_path: Path, measured: BenchmarkReport) -> None:
    bundle = a_bundle(tmp_path / "net")
    setting = next(each.setting for each in measured.measurements if each.setting.artifact == "onnx-fp16")
    made_for = replace(measured, shipped=replace(setting, threads=1))
    store(made_for, bundle, {"onnx-fp32": 9000.0, "onnx-fp16": 9000.0, "onnx-int8": 1000.0})
    assert chosen(bundle, tmp_path) == "onnx-fp16"
    with toolkit.load(bundle) as session:
        assert session.actual.threads == 1
    if setting.threads > 1:
        assert chosen(bundle, tmp_path, threads=setting.threads) == "onnx-int8"  # Other threads are another question.
    store(
        replace(made_for, shipped=replace(setting, content_sha256="0" * 64)), bundle, {f"onnx-{p}": 9.0 for p in SEEDS} | {"onnx-int8": 1.0}
    )
    assert chosen(bundle, tmp_path) == "onnx-int8"  # Files that were made again since.


def kept(cache: Path) -> list[Path]:
    return sorted((cache / "choices").glob("*.json"))


def test_what_was_measured_quickly_is_kept_for_the_next_start(tmp_path: Path, cache: Path) -> None:
    bundle = a_bundle(tmp_path / "net")
    chosen(bundle, tmp_path)
    (file,) = kept(cache)
    trials = json.loads(file.read_text())
    assert all(trial["latency_ns"] > 0 and trial["import_ns"] > 0 and not trial["problem"] for trial in trials)
    names = [f"{c.artifact.name}" for c in candidates(Bundle.load(bundle))]
    for fastest in names:
        changed = [trial | {"latency_ns": 1.0 if name == fastest else 9.0} for name, trial in zip(names, trials, strict=True)]
        file.write_text(json.dumps(changed))
        assert chosen(bundle, tmp_path) == fastest, "nothing was measured again"
    with toolkit.load(bundle, threads=this_machine().threads + 1):
        assert len(kept(cache)) == 2, "other threads are another question"
    file.write_text("[")
    chosen(bundle, tmp_path)
    assert len(json.loads(file.read_text())) == len(trials), "what cannot be read is measured again"


def test_within_the_noise_the_engine_that_is_imported_sooner_is_opened(tmp_path: Path, cache: Path) -> None:
    artifact = with_parity(with_parity(tiny_artifact(tmp_path / "net")), engine="openvino")
    toolkit.load(artifact.path.parent).close()
    (file,) = kept(cache)
    for import_ns, latency_ns, engine in (
        ([6e9, 1e8], [1.0, 1.05], "openvino"),
        ([1e8, 6e9], [1.05, 1.0], "onnxruntime"),
        ([6e9, 1e8], [1, 2], "onnxruntime"),
    ):
        file.write_text(json.dumps([{"latency_ns": ns, "import_ns": int(i)} for ns, i in zip(latency_ns, import_ns, strict=True)]))
        with toolkit.load(artifact.path.parent) as session:
            assert session.actual.engine == engine


def test_no_engine_is_imported_but_the_one_that_is_opened(tmp_path: Path, cache: Path) -> None:
    """At the first start, which measures, and at the next; whether OpenVINO computes in bf16 here it is asked elsewhere too."""
    bundle = tmp_path / "net"
    with_parity(with_parity(tiny_artifact(bundle)), engine="openvino")
    with_parity(tiny_artifact(bundle, Precision.BF16, seed=1), engine="openvino")
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", FRESH, str(bundle)], capture_output=True, text=True, check=True)
        opened, *imported = done.stdout.split()
        assert imported == [opened]
        assert len(kept(cache)) == 2


def slow_unless_measured(bundle: Path) -> None:
    """Only int8 opens: a choice that measures here must fall on it, whatever a stored benchmark says."""
    for name in ("onnx-fp32", "onnx-fp16"):
        (bundle / name / "model.onnx").write_bytes(b"cut")


@pytest.mark.parametrize("change", ["another machine", "fewer threads", "one is missing", "broken file", "another version"])
def test_a_benchmark_that_does_not_apply_is_not_used(tmp_path: Path, measured: BenchmarkReport, change: str, cache: Path) -> None:
    bundle = a_bundle(tmp_path / "net")
    report = measured
    if change == "another machine":
        report = replace(report, machine=replace(report.machine, cpu="another"))
    if change == "another version":
        report = replace(report, measurements=tuple(replace(m, actual=m.actual | {"engine_version": "0.1"}) for m in report.measurements))
        fp32 = next(m.setting for m in report.measurements if m.setting.artifact == "onnx-fp32")
        report = replace(report, shipped=replace(fp32, threads=report.machine.threads))
    if change == "one is missing":
        report = replace(report, measurements=report.measurements[1:])
    store(report, bundle, {"onnx-fp32": 1000.0, "onnx-fp16": 9000.0, "onnx-int8": 9000.0})
    if change == "broken file":
        (bundle / BENCHMARK).write_text("{")
    slow_unless_measured(bundle)
    threads = {"threads": report.machine.threads + 1} if change == "fewer threads" else {}
    assert chosen(bundle, tmp_path, **threads) == "onnx-int8"
    assert kept(cache) == [], "what failed may be mended"


def test_a_candidate_that_fails_when_it_runs_drops_out(tmp_path: Path) -> None:
    bundle = tmp_path / "net"
    with_parity(tiny_artifact(bundle, Precision.FP32, seed=1))
    fixed = tiny_artifact(bundle, Precision.FP16, seed=2, batch=3)
    free = replace(fixed.manifest, signature=Artifact.load(bundle / "onnx-fp32").manifest.signature)
    (fixed.path / MANIFEST).write_bytes(free.to_json())
    with_parity(Artifact.load(fixed.path))
    assert chosen(bundle, tmp_path) == "onnx-fp32"


def test_what_was_made_from_another_training_does_not_count(tmp_path: Path) -> None:
    root = tiny_artifact(tmp_path / "net")
    (root.path / MANIFEST).write_bytes(replace(root.manifest, root="").to_json())
    for precision, parent in ((Precision.FP16, root.manifest.content_sha256), (Precision.INT8, "an earlier training")):
        made = tiny_artifact(tmp_path / "net", precision, seed=SEEDS[precision])
        (made.path / MANIFEST).write_bytes(replace(made.manifest, root=parent).to_json())
        with_parity(Artifact.load(made.path))
    assert [c.artifact.name for c in candidates(Bundle.load(tmp_path / "net"))] == ["onnx-fp16"]


def test_evidence_about_other_files_or_another_device_does_not_count(tmp_path: Path) -> None:
    artifact = with_parity(tiny_artifact(tmp_path / "net"))
    assert candidates(Bundle.load(tmp_path / "net"), device="cpu")
    with pytest.raises(ArtifactError, match=r"an installed engine on device 'gpu' that passed .*toolkit verify --device gpu"):
        candidates(Bundle.load(tmp_path / "net"), device="gpu")
    artifact.with_evidence(tuple(replace(report, candidate="older files") for report in artifact.manifest.evidence))
    with pytest.raises(ArtifactError, match="got onnx-fp32: not verified; run: toolkit verify"):
        toolkit.load(tmp_path / "net")


def test_a_changed_file_is_not_opened(tmp_path: Path) -> None:
    artifact = with_parity(tiny_artifact(tmp_path / "net"))
    artifact.model_file.write_bytes(tiny_artifact(tmp_path / "other", seed=5).model_file.read_bytes())
    for isolated in (False, True):
        with pytest.raises(ArtifactError, match="is not the file its manifest describes"):
            toolkit.load(tmp_path / "net", isolated=isolated)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"engine": "onnxruntim"}, UnknownNameError, "unknown engine 'onnxruntim'.*did you mean 'onnxruntime'"),
        ({"engine": "litert"}, ArtifactError, "no artifact for engine 'litert' that passed parity"),
        ({"device": "gpuu"}, UnknownNameError, "unknown device 'gpuu': expected one of auto, cpu, gpu, npu"),
        ({"threads": 0}, InputError, "threads: expected at least 1, got 0"),
        ({"timeout_s": 5.0}, InputError, "timeout_s: expected isolated=True beside it"),
        ({"isolated": True, "timeout_s": -1.0}, InputError, "timeout_s: expected seconds, more than 0, got -1.0"),
    ],
)
def test_bad_requests_are_one_line(tmp_path: Path, options: dict[str, str | float], kind: type[Exception], message: str) -> None:
    bundle = a_bundle(tmp_path / "net")
    with pytest.raises(kind, match=message) as caught:
        toolkit.load(bundle, **options)  # type: ignore[arg-type]
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(("verdict", "told"), [(Verdict.UNDECIDED, True), (Verdict.FAILED, False)])
def test_what_is_undecided_is_not_opened_and_called_so(tmp_path: Path, verdict: Verdict, told: bool) -> None:
    with_parity(tiny_artifact(tmp_path / "net"), verdict)
    with pytest.raises(ArtifactError, match=f"that passed parity: expected at least one, got onnx-fp32: {verdict};") as caught:
        toolkit.load(tmp_path / "net")
    assert ("too few samples could not confirm" in str(caught.value)) is told
    with toolkit.load(tmp_path / "net", unverified=True) as session:
        assert session.actual.engine


def test_a_device_that_is_not_here_is_an_error(tmp_path: Path) -> None:
    file = tiny_artifact(tmp_path).model_file
    with pytest.raises(DeviceError, match="has no device 'npu' here"):
        toolkit.load(file, device="npu")


@pytest.mark.parametrize("proved_there", [False, True])
def test_a_bundle_on_a_machine_without_the_device_says_that_first(tmp_path: Path, proved_there: bool) -> None:
    artifact = with_parity(tiny_artifact(tmp_path / "net"))
    if proved_there:
        artifact.with_evidence(tuple(replace(report, device="npu") for report in artifact.manifest.evidence))
    with pytest.raises(DeviceError, match=r"^this machine has no device 'npu' that onnxruntime or openvino can use: expected one of .*cpu"):
        toolkit.load(tmp_path / "net", device="npu")
    with pytest.raises(DeviceError, match=r"^this machine has no device 'npu' that onnxruntime can use"):
        toolkit.load(tmp_path / "net", device="npu", engine="onnxruntime")


@pytest.mark.parametrize(("name", "message"), [("no.onnx", "no model file"), ("nothing", "is no bundle"), ("", "holds no artifact")])
def test_nothing_there(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(ArtifactError, match=message):
        toolkit.load(tmp_path / name)


def test_files_of_every_format_open_without_a_manifest(trained_cnn: Trained) -> None:
    image = np.random.default_rng(0).random((1, 1, 8, 8), dtype=np.float32)
    files = ("onnx-fp32/model.onnx", "openvino-fp32/model.xml", "tflite-fp32/model.tflite", "pt2-fp32/model.pt2")
    answers = []
    for file in files:
        with toolkit.load(str(trained_cnn.bundle / file)) as session:
            answers.append(session.run(image)[0])
    for other in answers[1:]:
        np.testing.assert_allclose(other, answers[0], atol=1e-4)


def on_another_processor(artifact: Artifact) -> Artifact:
    """The artifact, whose evidence is of a processor that shares no instruction set with this one in what decides int8."""
    here = set(instruction_sets())
    there = ("avx2", "sve") if here & {"avx512_vnni", "avx_vnni", "amx_int8"} else ("avx2", "avx512_vnni")
    return artifact.with_evidence(tuple(replace(report, instruction_sets=there) for report in artifact.manifest.evidence))


@pytest.mark.skipif(not instruction_sets(), reason="this system does not name its processor's instruction sets")
def test_int8_that_passed_on_another_processor_is_opened_with_a_warning(tmp_path: Path) -> None:
    artifact = on_another_processor(with_parity(tiny_artifact(tmp_path / "net", Precision.INT8)))
    expected = rf"'{artifact.path}' in onnxruntime: int8 passed on a processor with.* avx512_vnni.*; run: toolkit verify"
    for model in (artifact.path.parent, artifact.path):
        with pytest.warns(ToolkitWarning, match=expected) as told, toolkit.load(model) as session:
            assert session.run(X)[0].shape == (1, 10)
        assert [warning.filename for warning in told] == [__file__]


@pytest.mark.skipif(not instruction_sets(), reason="this system does not name its processor's instruction sets")
def test_what_does_not_depend_on_the_processor_is_opened_without_a_word(tmp_path: Path) -> None:
    toolkit.load(on_another_processor(with_parity(tiny_artifact(tmp_path / "float"))).path).close()
    here = with_parity(tiny_artifact(tmp_path / "here", Precision.INT8))
    toolkit.load(here.path).close()  # Of an earlier version: the processor is not known.
    here.with_evidence(tuple(replace(report, instruction_sets=instruction_sets()) for report in here.manifest.evidence))
    toolkit.load(here.path).close()
    on_another_processor(with_parity(here, engine="openvino"))
    with pytest.warns(ToolkitWarning, match="in openvino"):
        toolkit.load(here.path, engine="openvino").close()
