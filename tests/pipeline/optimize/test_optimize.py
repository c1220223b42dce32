"""The search ends with the best of what passed, measures what may not win no more, and resumes where it stopped."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Trained
from toolkit.core import Artifact, Bundle, ConversionError, Verdict
from toolkit.core.measurement import Protocol
from toolkit.pipeline.convert import Request, nodes
from toolkit.pipeline.optimize import Budget, Optimized, optimize
from toolkit.pipeline.optimize.search import STATE
from toolkit.pipeline.run import run_once
from toolkit.pipeline.source.samples import split_samples
from toolkit.tasks import Limits

QUICK = Protocol(rounds=3, min_seconds=0.02, min_calls=5, warmup_seconds=0.0, warmup_calls=2)


def search(
    trained_cnn: Trained, out: Path, *names: str, budget: Budget = Budget.LATENCY, max_drop: float = 5.0, stop: str = ""
) -> Optimized:
    home = out / "cnn"
    if not home.exists():
        shutil.copytree(trained_cnn.bundle / "pt2-fp32", home / "pt2-fp32")
    source = Artifact.load(home / "pt2-fp32")
    targets = tuple(nodes([format], [precision])[0] for format, _, precision in (name.partition("-") for name in names))
    split = split_samples(source, None)

    def on_progress(what: str, done: int, total: int) -> None:
        if stop and what.startswith(stop) and done == total:
            raise KeyboardInterrupt

    request = Request(source, targets, home, split, Limits(max_drop))
    return optimize(request, choice=100, budget=budget, protocol=QUICK, on_progress=on_progress)


@pytest.mark.slow
def test_what_is_shipped_passed_and_loads(trained_cnn: Trained, tmp_path: Path) -> None:
    found = search(trained_cnn, tmp_path, "onnx-fp32", "onnx-int8", "tflite-fp32")
    assert found.folder == tmp_path / "cnn-shipped"
    assert [artifact.name for artifact in Bundle.load(found.folder)] == [found.shipped.artifact]
    assert Artifact.load(found.folder / found.shipped.artifact).verdict is Verdict.PASSED
    assert found.shipped.artifact in found.reason
    judged = {report.task.samples for report in Artifact.load(tmp_path / "cnn" / "onnx-int8").manifest.evidence if report.task}
    assert judged <= {len(split_samples(Artifact.load(tmp_path / "cnn" / "pt2-fp32"), None).evaluation)}, "as toolkit verify judges"
    assert judged or found.shipped.artifact != "onnx-int8"
    # In a process of its own: the engine may be TensorFlow's.
    actual = run_once(found.folder, {"": np.zeros((1, 1, 8, 8), np.float32)}).actual
    assert (actual.engine, actual.threads) == (found.shipped.engine, found.shipped.threads)
    latencies, sizes = [each.latency_ns for each in found.front], [each.size_bytes for each in found.front]
    assert latencies == sorted(latencies)
    assert sizes == sorted(set(sizes), reverse=True)
    assert min(sizes) == min(Artifact.load(tmp_path / "cnn" / name).size_bytes for name in ("onnx-fp32", "onnx-int8", "tflite-fp32"))
    assert not (tmp_path / "cnn" / STATE).exists()


@pytest.mark.slow
def test_the_smallest(trained_cnn: Trained, tmp_path: Path) -> None:
    found = search(trained_cnn, tmp_path, "onnx-fp32", "onnx-int8", budget=Budget.SIZE)
    assert found.shipped.artifact == "onnx-int8"
    assert found.shipped.rounds == 1


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on(trained_cnn: Trained, tmp_path: Path) -> None:
    names = ("onnx-fp32", "onnx-fp16")
    with pytest.raises(KeyboardInterrupt):
        search(trained_cnn, tmp_path, *names, stop="verifying")
    before = (tmp_path / "cnn" / STATE).read_bytes()
    assert b'"rounds":[{"index":0' in before
    # The heat is known: an interruption in it never comes.
    found = search(trained_cnn, tmp_path, *names, stop="heat")
    assert found.shipped.rounds >= 1
    assert not (tmp_path / "cnn" / STATE).exists()


@pytest.mark.slow
def test_nothing_that_passes(trained_cnn: Trained, tmp_path: Path) -> None:
    with pytest.raises(
        ConversionError, match=r"nothing that could be measured passed.*onnx-int8-dynamic in onnxruntime: failed: accuracy drop"
    ):
        search(trained_cnn, tmp_path, "onnx-int8-dynamic", max_drop=-100.0)
