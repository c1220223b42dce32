"""The race on the real ONNX Runtime: a heat for all, rounds for those that may still win."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.tiny import tiny_artifact, tiny_samples
from toolkit.core.measurement import Measurement, Protocol, Setting
from toolkit.pipeline.optimize.race import Race

QUICK = Protocol(rounds=3, min_seconds=0.02, min_calls=5, warmup_seconds=0.0, warmup_calls=2)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("inputs") / "inputs.npz"
    tiny_samples().save(path)
    return path


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> list[Setting]:
    """One call and the same with a hundred times as many rows, which nothing makes as fast."""
    artifact = tiny_artifact(tmp_path_factory.mktemp("bundle"))
    small = Setting(str(artifact.path), artifact.name, artifact.manifest.content_sha256, "onnxruntime")
    return [small, replace(small, batch=2000)]


def latency(measurement: Measurement) -> float:
    return measurement.latency_ns.value


def none(_done: int, _total: int) -> None:
    pass


def test_the_heat_drops_what_is_far_behind_and_its_figures_stay(settings: list[Setting], inputs: Path) -> None:
    kept: list[int] = []
    race = Race(QUICK, inputs, latency, lambda: kept.append(len(race.heats)))
    race.enter(settings)
    race.run(0, on_progress=none)
    assert [each.setting for each in race.active()] == settings
    race.drop_slow(0)
    assert [each.setting for each in race.active()] == settings[:1]
    assert race.dropped[settings[1]].endswith("times onnx-fp32 in onnxruntime in the heat")
    race.run(2, on_progress=none)
    assert [len(race.measured[setting].rounds) for setting in settings] == [2, 0]
    assert race.figures()[settings[1]] == race.heats[settings[1]]
    assert race.figures()[settings[0]] == race.measured[settings[0]]
    assert kept == [2, 2, 2], "kept after the heat and after each round"


def test_what_is_known_is_not_measured_again(settings: list[Setting], inputs: Path) -> None:
    first = Race(QUICK, inputs, latency, lambda: None)
    first.enter(settings)
    first.run(0, on_progress=none)
    first.run(1, on_progress=none)
    again = Race(QUICK, inputs, latency, lambda: pytest.fail("measured again"))
    again.enter(settings, list(first.heats.values()), list(first.measured.values()))
    again.run(0, on_progress=none)
    again.run(1, on_progress=none)
    assert again.figures() == first.measured


def test_what_joins_late_is_measured_as_often_as_the_others(settings: list[Setting], inputs: Path) -> None:
    race = Race(QUICK, inputs, latency, lambda: None)
    race.enter(settings[:1])
    race.run(0, on_progress=none)
    race.run(1, on_progress=none)
    race.enter(settings[1:])
    race.run(1, on_progress=none)
    assert [len(race.measured[setting].rounds) for setting in settings] == [1, 1]


def test_what_fails_is_out_with_its_reason(settings: list[Setting], inputs: Path) -> None:
    broken = replace(settings[0], content_sha256="another")
    race = Race(QUICK, inputs, latency, lambda: None)
    race.enter([*settings, broken])
    race.run(0, on_progress=none)
    assert "changed while it was measured" in race.dropped[broken]
    assert broken not in {each.setting for each in race.active()}
