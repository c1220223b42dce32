"""Measuring processes on the real ONNX Runtime."""

from __future__ import annotations

import itertools
import mmap
import signal
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.tiny import tiny_artifact, tiny_samples
from toolkit.core import Artifact, EngineError, Precision, Samples, Signature, TensorSpec, stop_isolated
from toolkit.core.measurement import Protocol, Scenario, Setting
from toolkit.runtimes import SessionOptions, find_runtime
from toolkit.runtimes.benchmark import BenchmarkInterrupted, RoundProgress, run_benchmark, run_heats
from toolkit.runtimes.benchmark.memory import peak_bytes, reset_peak, resident_bytes
from toolkit.runtimes.benchmark.stream import Stream, batches_of

QUICK = Protocol(rounds=2, min_seconds=0.01, min_calls=20, warmup_seconds=0.01, warmup_calls=3)


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bundle")


@pytest.fixture(scope="session")
def artifact(bundle: Path) -> Artifact:
    return tiny_artifact(bundle)


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("inputs") / "inputs.npz"
    tiny_samples().save(path)
    return path


def setting_of(artifact: Artifact, **changes: object) -> Setting:
    return replace(Setting(str(artifact.path), artifact.name, artifact.manifest.content_sha256, "onnxruntime"), **changes)  # type: ignore[arg-type]


def test_rounds_are_interleaved_and_complete(artifact: Artifact, inputs: Path) -> None:
    seen: list[RoundProgress] = []
    settings = [
        setting_of(artifact),
        setting_of(artifact, batch=4),
        setting_of(artifact, scenario=Scenario.OFFLINE, streams=2, threads=2, batch=8),
    ]
    measurements = run_benchmark(settings, inputs=inputs, protocol=QUICK, on_progress=seen.append)

    assert [m.setting for m in measurements] == settings
    assert [m.reason for m in measurements] == ["", "", ""]
    assert sorted(r.order for m in measurements for r in m.rounds) == list(range(6))
    assert all(r.order // 3 == r.index for m in measurements for r in m.rounds), "every setting has its turn before the next round"
    assert [(p.done, p.total) for p in seen] == [(n, 6) for n in range(1, 7)]
    for m in measurements:
        assert m.actual["engine_version"]
        assert (m.actual["device"], m.actual["float_type"]) == ("cpu", "fp32")
        assert m.size_bytes == artifact.size_bytes
        for r in m.rounds:
            assert r.calls >= QUICK.min_calls * m.setting.streams
            assert r.warmup_calls >= 8 * m.setting.streams, "every input is warmed up"
            assert min(r.load_ns, r.first_call_ns, r.import_ns, r.memory_bytes, r.bare_memory_bytes) > 0
            assert r.min_ns <= r.median_ns <= r.p90_ns <= r.p99_ns
            assert len(r.latency_ns) * r.stride >= r.calls > (len(r.latency_ns) - 1) * r.stride
    single = measurements[0].rounds[0]
    assert single.samples_per_s == pytest.approx(1e9 / single.mean_ns)


def test_the_order_comes_from_the_seed(artifact: Artifact, inputs: Path) -> None:
    protocol = replace(QUICK, rounds=1, seed=3)
    expected = np.random.default_rng(3).permutation(2)
    measurements = run_benchmark([setting_of(artifact), setting_of(artifact, batch=2)], inputs=inputs, protocol=protocol)
    assert [m.rounds[0].order for m in measurements] == [list(expected).index(0), list(expected).index(1)]


def test_many_calls_keep_evenly_spaced_durations(artifact: Artifact, inputs: Path) -> None:
    (measurement,) = run_benchmark([setting_of(artifact)], inputs=inputs, protocol=replace(QUICK, rounds=1, min_calls=4500))
    found = measurement.rounds[0]
    assert found.stride == -(-found.calls // 2000)
    assert 1000 < len(found.latency_ns) <= 2000


def test_a_failed_setting_is_a_row_and_the_others_go_on(artifact: Artifact, inputs: Path, tmp_path: Path) -> None:
    truncated = tiny_artifact(tmp_path)
    truncated.model_file.write_bytes(truncated.model_file.read_bytes()[:200])
    noisy = tiny_artifact(tmp_path, Precision.FP16, noise=True)
    nan = tiny_artifact(tmp_path, Precision.INT8, nan=True)
    settings = [
        setting_of(truncated),
        setting_of(noisy),
        setting_of(nan),
        setting_of(artifact, content_sha256="another"),
        setting_of(artifact, engine="nosuch"),
        setting_of(artifact, device="npu"),
        setting_of(artifact),
    ]
    seen: list[RoundProgress] = []
    *failed, good = run_benchmark(settings, inputs=inputs, protocol=QUICK, on_progress=seen.append)
    assert good.ok
    assert [m.ok for m in failed] == [False] * 6
    for measurement, part in zip(
        failed,
        ["cannot open", "different outputs", "NaN or infinity", "changed while", "unknown engine 'nosuch'", "no device 'npu'"],
        strict=True,
    ):
        assert part in measurement.reason
        assert "\n" not in measurement.reason
    assert seen[-1].done == seen[-1].total == 14
    assert len(seen) == 8, "a failed setting is not tried again"


def test_a_setting_that_takes_too_long_is_stopped(artifact: Artifact, inputs: Path) -> None:
    (measurement,) = run_benchmark([setting_of(artifact)], inputs=inputs, protocol=replace(QUICK, min_seconds=60, timeout_s=2))
    assert measurement.reason == "benchmark round took longer than 2 s and was stopped"


def test_ctrl_c_keeps_the_rounds_that_had_ended(artifact: Artifact, inputs: Path) -> None:
    def interrupt(progress: RoundProgress) -> None:
        if progress.done == 3:
            signal.raise_signal(signal.SIGINT)

    settings = [setting_of(artifact), setting_of(artifact, batch=2)]
    with pytest.raises(BenchmarkInterrupted) as caught:
        run_benchmark(settings, inputs=inputs, protocol=QUICK, on_progress=interrupt)
    assert sorted(len(m.rounds) for m in caught.value.measurements) == [1, 2]
    assert all(m.ok for m in caught.value.measurements)
    with pytest.raises(BenchmarkInterrupted) as caught:
        run_benchmark(settings, inputs=inputs, protocol=QUICK, on_progress=lambda _: signal.raise_signal(signal.SIGINT))
    assert sorted(m.reason for m in caught.value.measurements) == ["", "interrupted before its first round"]


def test_a_heat_measures_all_of_an_engine_in_one_process(bundle: Path, artifact: Artifact, inputs: Path) -> None:
    nan = tiny_artifact(bundle / "heat", nan=True)
    settings = [
        setting_of(artifact),
        setting_of(nan),
        setting_of(artifact, engine="nosuch"),
        setting_of(artifact, batch=4),
        setting_of(artifact, scenario=Scenario.OFFLINE, streams=2, threads=2, batch=8),
    ]
    seen: list[tuple[int, int]] = []
    found = run_heats(settings, inputs=inputs, protocol=QUICK, on_progress=lambda *done: seen.append(done))
    assert [each.setting for each in found] == settings
    assert [len(each.rounds) for each in found] == [1, 0, 0, 1, 1]
    assert ["NaN or infinity" in found[1].reason, "unknown engine 'nosuch'" in found[2].reason] == [True, True]
    imports = [each.rounds[0].import_ns for each in found if each.ok]
    assert len(set(imports)) == 1, "the engine is imported once, and costs as much for each"
    assert imports[0] > 1e6, "a millisecond at least"
    assert seen == [(4, 5), (5, 5)]


def test_a_heat_that_crashes_is_measured_one_process_a_setting(artifact: Artifact, inputs: Path) -> None:
    settings = [setting_of(artifact), setting_of(artifact, batch=2), setting_of(artifact, batch=3)]
    # The kill comes while the heat runs, which takes three times 0.4 s at least.
    crash = threading.Timer(0.6, stop_isolated)
    crash.start()
    found = run_heats(settings, inputs=inputs, protocol=replace(QUICK, min_seconds=0.4))
    crash.join()
    assert all(each.ok for each in found)
    imports = [each.rounds[0].import_ns for each in found]
    assert len(set(imports)) == 3, "each imports the engine"


def test_inputs_rotate_through_the_samples_and_start_again() -> None:
    spec = TensorSpec("x", "float32", ("batch", 1))
    signature = Signature((spec,), (spec,))
    samples = Samples({"x": np.arange(5, dtype=np.float32)[:, None]})
    rows = [batch.ravel().tolist() for batch in batches_of(samples, signature, batch=2, count=3) if isinstance(batch, np.ndarray)]
    assert rows == [[0, 1], [2, 3], [4, 0]]


def test_several_inputs_are_a_list_in_signature_order() -> None:
    specs = (TensorSpec("b", "float32", ("batch", 1)), TensorSpec("a", "float32", ("batch", 2)))
    samples = Samples({"a": np.zeros((3, 2), np.float32), "b": np.ones((3, 1), np.float32)})
    (batch,) = batches_of(samples, Signature(specs, specs[:1]), batch=2, count=1)
    assert isinstance(batch, list)
    assert [array.shape for array in batch] == [(2, 1), (2, 2)]


def test_a_stream_notices_outputs_that_change(artifact: Artifact) -> None:
    with find_runtime("onnxruntime").open(artifact, SessionOptions(threads=1)) as session:
        inputs = batches_of(tiny_samples(), artifact.manifest.signature, batch=2, count=8)
        stream = Stream(session, inputs)
        stream.warm_up(seconds=0, calls=1)
        stream.measure(seconds=0, calls=50)
        assert len(stream.latencies_ns) == 50
        first = inputs[0]
        assert isinstance(first, np.ndarray)
        first[1] += 1  # as an engine would that mixes up its buffers
        with pytest.raises(EngineError, match="different outputs"):
            stream.measure(seconds=0, calls=100)


def test_calls_are_timed_by_the_clock_of_the_session(artifact: Artifact) -> None:
    with find_runtime("onnxruntime").open(artifact, SessionOptions(threads=1)) as session:
        session.clock = itertools.count(step=7).__next__
        stream = Stream(session, batches_of(tiny_samples(), artifact.manifest.signature, batch=2, count=2))
        assert stream.first_call() == 7
        stream.warm_up(seconds=0, calls=1)
        stream.measure(seconds=0, calls=5)
        assert stream.latencies_ns == [7] * 5
        stream.latencies_ns.clear()
        start, end = stream.flood(threading.Barrier(1), seconds=0, calls=3)
        assert end - start == 7 * (2 * 3 + 1)  # Two looks at the clock a call.


def test_memory_counts_what_is_held_and_not_what_was() -> None:
    reset_peak()
    before = peak_bytes()
    held = mmap.mmap(-1, 8 << 20)  # fresh pages: an array could come from what an earlier test has freed
    held.write(bytes([1]) * len(held))
    assert peak_bytes() >= before + (6 << 20)
    assert 0 < resident_bytes() <= peak_bytes()
    held.close()
