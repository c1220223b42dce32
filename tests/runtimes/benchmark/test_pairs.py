"""Two files by turns in one process: equal ones look equal, and which of two fails is said."""

from __future__ import annotations

import math
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tiny import tiny_artifact, tiny_samples
from toolkit.core import Artifact, Precision, stop_isolated
from toolkit.core.measurement import Protocol, Setting
from toolkit.runtimes.benchmark import run_pairs

QUICK = Protocol(min_seconds=0.03, warmup_seconds=0.01, warmup_calls=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("pairs")
    tiny_samples().save(found / "inputs.npz")
    return found


@pytest.fixture(scope="module")
def setting(folder: Path) -> Setting:
    return of(tiny_artifact(folder))


def of(artifact: Artifact, *, batch: int = 1) -> Setting:
    return Setting(str(artifact.path), artifact.name, artifact.manifest.content_sha256, "onnxruntime", threads=1, batch=batch)


def test_a_pair_has_the_times_of_both_and_their_ratio(folder: Path, setting: Setting) -> None:
    """The same file twice is a pair; a larger batch takes longer, and the order of the answers is that of the pairs."""
    pairs = [(setting, setting), (replace(setting, batch=4096), setting), (setting, replace(setting, batch=4096))]
    same, slow, fast = run_pairs(pairs, inputs=folder / "inputs.npz", protocol=QUICK, index=0)
    assert not any(each.problem for each in (same, slow, fast))
    assert min(same.first_ns, same.second_ns) > 100
    assert abs(same.log_ratio) < 1
    assert slow.log_ratio > 2
    assert fast.log_ratio < -2
    assert slow.log_ratio == pytest.approx(math.log(slow.first_ns / slow.second_ns), abs=1)


def test_which_of_two_fails_is_said(folder: Path, setting: Setting) -> None:
    nowhere = replace(setting, folder="/nowhere")
    nan = of(tiny_artifact(folder, Precision.FP16, nan=True))
    noisy = of(tiny_artifact(folder, Precision.INT8, noise=True))
    pairs = [(setting, nowhere), (nan, setting), (setting, setting), (setting, noisy)]
    found = run_pairs(pairs, inputs=folder / "inputs.npz", protocol=QUICK, index=1)
    assert [each.of for each in found] == [1, 0, None, None]
    assert [bool(each.problem) for each in found] == [True, True, False, True]
    assert ["nowhere" in found[0].problem, "NaN" in found[1].problem, "different outputs" in found[3].problem] == [True, True, True]


def test_a_process_that_crashes_is_tried_one_file_at_a_time(folder: Path, setting: Setting) -> None:
    crash = threading.Timer(0.8, stop_isolated)
    crash.start()
    (found,) = run_pairs([(setting, setting)], inputs=folder / "inputs.npz", protocol=replace(QUICK, min_seconds=1.5), index=0)
    crash.join()
    assert (found.of, bool(found.problem)) == (None, True), "both run alone"
