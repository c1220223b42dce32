"""The cache is listed, and made smaller from its oldest end."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.tiny import tiny_artifact
from toolkit.cli import toolkit
from toolkit.converters.cache import lookup, store
from toolkit.core import Precision, cache_home
from toolkit.pipeline.cache import FETCHED, MADE, clear, entries

DAY_S = 86400.0


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two artifacts, of yesterday and of ten days ago, evidence of five days ago, and a data set of a year ago."""
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    for key, precision in (("aa" * 32, Precision.FP32), ("ab" * 32, Precision.INT8)):
        store(key, tiny_artifact(tmp_path / "net", precision, seed=int(precision is Precision.INT8)))
    (cache_home() / "evidence").mkdir()
    (cache_home() / "evidence" / "evidence.json").write_text("[]")
    (cache_home() / "data" / "digits").mkdir(parents=True)
    (cache_home() / "data" / "digits" / "x").write_bytes(bytes(5000))
    ages = {"artifacts/aa/" + "aa" * 32: 10, "artifacts/ab/" + "ab" * 32: 1, "evidence/evidence.json": 5, "data/digits": 365}
    for name, days in ages.items():
        then = time.time() - days * DAY_S
        os.utime(cache_home() / name, (then, then))
    return cache_home()


def names() -> list[str]:
    return [entry.name for entry in entries()]


def test_what_was_used_longest_ago_comes_first() -> None:
    assert names() == ["digits", "tiny onnx-fp32", "evidence.json", "tiny onnx-int8"]
    assert entries()[0].size_bytes == 5000
    assert lookup("aa" * 32) is not None
    assert names() == ["digits", "evidence.json", "tiny onnx-int8", "tiny onnx-fp32"]


def test_old_entries_go_and_data_stay() -> None:
    assert [entry.name for entry in clear(older_than_s=4 * DAY_S)] == ["tiny onnx-fp32", "evidence.json"]
    assert names() == ["digits", "tiny onnx-int8"]
    assert [entry.name for entry in clear(older_than_s=4 * DAY_S)] == []


def test_a_size_is_reached_from_the_oldest_end() -> None:
    newest = entries()[-1]
    assert [entry.name for entry in clear(most_bytes=newest.size_bytes)] == ["tiny onnx-fp32", "evidence.json"]
    assert [entry.name for entry in clear(kinds=("data",))] == ["digits"]
    assert names() == [newest.name]


def test_kernels_and_the_engines_of_the_web_are_entries(home: Path) -> None:
    for kind, name in (("kernels", "5d4a71a47d92afc2"), ("browser", "0123456789abcdef")):
        (home / kind / name / "inner").mkdir(parents=True)
        (home / kind / name / "inner" / "file").write_bytes(b"x")
        assert (kind, name, 1) in [(entry.kind, entry.name, entry.size_bytes) for entry in entries()]
    assert "5d4a71a47d92afc2" in [entry.name for entry in clear()]
    assert names() == ["digits", "0123456789abcdef"]


def test_a_damaged_entry_is_named_and_removed(home: Path) -> None:
    (home / "artifacts" / "aa" / ("aa" * 32) / "manifest.json").write_text("{")
    assert "aaaaaaaaaaaa, damaged" in names()
    clear()
    assert names() == ["digits"]


def test_links_and_leftovers(home: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (home / "artifacts" / "link").symlink_to(tmp_path / "elsewhere")
    (home / "features").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "mine").mkdir()
    left = home / "artifacts" / "aa" / f".{'cc' * 32}-{'0' * 8}-1-abcdefgh"
    (left / "new").mkdir(parents=True)
    os.utime(left, (0, 0))
    clear(kinds=(*MADE, *FETCHED))
    assert (tmp_path / "elsewhere" / "mine").is_dir()
    assert not left.exists()
    assert names() == []


def test_an_empty_cache_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "nothing"))
    assert entries() == clear() == []


def test_the_commands_say_what_is_there_and_what_went(home: Path) -> None:
    shown = CliRunner().invoke(toolkit, ["cache"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    rows = [line.split()[:2] for line in shown.output.splitlines()[2:-1]]
    counts = {
        "artifacts": 2,
        "evidence": 1,
        "choices": 0,
        "compiled": 0,
        "kernels": 0,
        "prepared": 0,
        "data": 1,
        "features": 0,
        "browser": 0,
    }
    assert rows == [[kind, str(count)] for kind, count in counts.items()]
    assert shown.output.splitlines()[-1].startswith(f"{home}: 4 entries, ")
    cleared = CliRunner().invoke(toolkit, ["cache", "clear", "--older-than", "4"])
    assert cleared.output.startswith("removed 2 entries, ")
    assert "2 stay" in cleared.output
    as_json = CliRunner().invoke(toolkit, ["cache", "--json"])
    assert '"entries": 2' in as_json.output
    assert CliRunner().invoke(toolkit, ["cache", "clear", "--data", "--max-size", "0"]).output.startswith("removed 2 entries")
