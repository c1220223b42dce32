"""What Ctrl-C is answered with: each command says how it resumes."""

from __future__ import annotations

import gc
import os
import shlex
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from tests.pipeline.bundle.test_field import a_bundle
from tests.tiny import tiny_samples
from toolkit._interrupted import NOTHING, RESUMES, answer
from toolkit.cli import toolkit
from toolkit.cli._commands import Command, Commands
from toolkit.core.measurement import BenchmarkReport
from toolkit.pipeline.bundle import pack

BY_OPTION = {"train", "go train"}
ITSELF = {"benchmark", "check", "clean", "convert", "data", "demo", "optimize", "quantize", "tune", "verify"}
ANEW = {"go match", "go selfplay"}
NOTHING_TO_RESUME = {
    "bundle", "cache", "cache clear", "debug", "doctor", "embed", "evaluate", "export app", "export bom", "export c", "export card",
    "export web", "formats", "gate", "generate", "go demo", "go gtp", "go play", "go strength", "inspect", "models", "pull", "push",
    "recipes", "report", "run",
}  # fmt: skip


def commands(group: click.Group = toolkit, before: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if not isinstance(command, Commands):
            yield f"{before}{name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{name} ")


def kind(command: click.Command) -> str:
    told = command.interrupted if isinstance(command, Command) else NOTHING
    if not isinstance(told, str):
        return "by option"
    return "itself" if told.endswith(RESUMES.partition(". ")[2]) else "anew" if told.endswith("anew") and told != NOTHING else "nothing"


def test_every_command_has_decided() -> None:
    found = {name: kind(command) for name, command in commands()}
    decided = dict.fromkeys(BY_OPTION, "by option") | dict.fromkeys(ITSELF, "itself") | dict.fromkeys(ANEW, "anew")
    assert found == decided | dict.fromkeys(NOTHING_TO_RESUME, "nothing")


def interrupted(*words: str | Path, when: Callable[[], bool]) -> str:
    """What the command says that Ctrl-C reaches as soon as `when` holds."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.005):
            if when():
                os.kill(os.getpid(), signal.SIGINT)
                return

    signal.signal(signal.SIGINT, signal.default_int_handler)  # A library that an earlier test has loaded may have changed it.
    watcher = threading.Thread(target=watch)
    watcher.start()
    with warnings.catch_warnings():  # Where Ctrl-C comes between the opening of a file and its `with`, Python closes it later and says so.
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            with pytest.raises(click.exceptions.Abort) as caught:
                toolkit.main([str(word) for word in words], standalone_mode=False)
        finally:
            ended.set()
            watcher.join()
        told = answer(caught.value)
        del caught  # with the interruption that it came from, whose frames hold the file
        gc.collect()
    return told


def test_a_training_tells_the_command_that_resumes_it(tmp_path: Path) -> None:
    out = tmp_path / "my nets"
    metrics = (
        out / "perceptron" / "training" / "metrics.jsonl"
    )  # written after the checkpoint, from which a resumed training writes it again
    words = ["train", "perceptron", "--epochs", "100000", "--out", str(out)]
    told = interrupted(*words, when=metrics.exists)
    line = told.partition("interrupted; the last complete epoch is kept. To resume: ")[2]
    assert shlex.split(line) == ["toolkit", *words, "--resume"]
    first = metrics.read_bytes().splitlines()
    before = metrics.stat().st_mtime_ns
    told = interrupted(*shlex.split(line)[1:], when=lambda: metrics.stat().st_mtime_ns > before)
    assert told.endswith(line), "the same once more"
    second = metrics.read_bytes().splitlines()
    assert (len(second) > len(first), second[: len(first)]) == (True, first)


def test_a_training_that_has_kept_nothing_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "lenet" / "training"
    told = interrupted("train", "lenet", "--batch-size", "2", "--out", tmp_path, when=folder.exists)
    assert told == "interrupted before the first epoch was complete: nothing is kept, the same command starts anew"


def test_a_check_keeps_what_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pack(a_bundle(tmp_path / "tiny"), tiny_samples(40), tmp_path / "tiny.zip")
    monkeypatch.setenv("TOOLKIT_PROGRESS_S", "0.05")
    told: list[str] = []

    def measured() -> bool:
        told.extend(capsys.readouterr().err.splitlines())
        return any(line.startswith("measuring onnx-fp16 in onnxruntime: 2 of 60 in ") for line in told)

    words = ("--engine", "onnxruntime", "--threads", "1", "--rounds", "60", "--seconds", "0.1", "--out", tmp_path / "it.json")
    answered = interrupted("check", tmp_path / "tiny.zip", *words, when=measured)
    assert answered == f"interrupted; what was measured is in {tmp_path / 'it.json'}. Rerun the same command to resume"
    assert "60 rounds of measuring: 12 s at least" in told
    report = BenchmarkReport.load(tmp_path / "it.json")
    assert (report.model, report.complete) == ("tiny", False)
    assert [len(each.rounds) for each in report.measurements] == [2]
    assert report.parity_of(report.measurements[0]) is not None
    told.clear()

    def measured_more() -> bool:
        told.extend(capsys.readouterr().err.splitlines())
        return any(line.startswith("measuring onnx-fp16 in onnxruntime: 4 of 60 in ") for line in told)

    assert interrupted("check", tmp_path / "tiny.zip", *words, when=measured_more) == answered
    assert "resuming: 2 of 60 rounds are measured; to measure all anew, remove their report" in told
    resumed = BenchmarkReport.load(tmp_path / "it.json").measurements[0].rounds
    assert (len(resumed), resumed[:2]) == (4, report.measurements[0].rounds)


def test_a_benchmark_that_has_measured_nothing_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = a_bundle(tmp_path / "tiny")
    tiny_samples(40).save(tmp_path / "s.npz")
    planned = threading.Event()
    monkeypatch.setattr("toolkit.cli.benchmark.say_estimate", lambda *_, **__: planned.set())
    words = ("--data", tmp_path / "s.npz", "--threads", "1", "--seconds", "60")
    told = interrupted("benchmark", bundle.path, *words, when=planned.is_set)
    assert told == "interrupted before the first round had ended: the same command starts anew"
    assert not (bundle.path / "benchmark-partial.json").exists()


def test_the_exit_code_is_ours_wherever_ctrl_c_came(tmp_path: Path) -> None:
    """Inside a text that is executed, as `dataclasses` does, `python -m` ended by the signal, which is -2 for whoever waits for it."""
    caught = "try:\n    exec('raise KeyboardInterrupt')\nexcept KeyboardInterrupt:\n    sys.exit(exit_code())\n"
    (tmp_path / "stopped.py").write_text(f"import sys\nfrom toolkit._interrupted import exit_code\n{caught}")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    result = subprocess.run([sys.executable, "-m", "stopped"], env=environment, check=False)
    assert result.returncode == 130
