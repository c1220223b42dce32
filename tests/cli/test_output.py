"""Real processes: a closed pipe, a full disk, Ctrl-C and SIGTERM in the middle of a benchmark."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np
import pytest

from tests.core.plugins import add_distribution
from tests.tiny import tiny_artifact, tiny_samples, with_parity
from toolkit.cli import main, toolkit
from toolkit.core import Bundle
from toolkit.core.measurement import BenchmarkReport

TOOLKIT = [sys.executable, "-m", "toolkit"]


@pytest.mark.parametrize("words", [["models"], ["models", "--json"], ["--help"]])
def test_a_closed_pipe_is_silent(words: list[str], tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run([*TOOLKIT, *words], stdout=writer, stderr=subprocess.PIPE, text=True, check=False, cwd=tmp_path)
    os.close(writer)
    assert result.stderr.strip() == ""
    assert result.returncode == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("words", [["models"], ["models", "--json"]])
def test_output_to_a_full_disk_is_one_line(words: list[str], tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        result = subprocess.run([*TOOLKIT, *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (2, "error: No space left on device\n")


def test_a_conversion_onto_a_full_disk_leaves_no_half_artifact(tmp_path: Path) -> None:
    tiny_samples(40).save(tmp_path / "s.npz")
    (tmp_path / "net.onnx").write_bytes(tiny_artifact(tmp_path / "tiny").model_file.read_bytes())
    # No file may be larger than 4 KiB: with the signal ignored a write beyond the limit fails as on a full disk.
    limited = f"trap '' XFSZ; ulimit -f 4; exec {' '.join(TOOLKIT)} convert net.onnx --data s.npz --to onnx --precision int8 --out out"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}  # Its own file would hit the limit.
    result = subprocess.run(["bash", "-c", limited], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 2, result.stdout
    *plan, error = result.stderr.splitlines()
    assert error.startswith("error: cannot write 'out/net/onnx-fp32': File too large")
    assert all(line.startswith("samples") for line in plan)
    assert [file for file in (tmp_path / "out").rglob("*") if file.is_file()] == []
    assert [folder.name for folder in (tmp_path / "out" / "net").iterdir()] == []


def test_a_broken_plug_in_is_one_line_and_the_command_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = subprocess.run([*TOOLKIT, "data"], capture_output=True, text=True, check=True, cwd=tmp_path)
    add_distribution(
        tmp_path / "site", "acme", {"acme_data": "raise OSError('libacme.so: invalid ELF header')"}, group="toolkit.models.data"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"), prepend=os.pathsep)
    result = subprocess.run([*TOOLKIT, "data"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, whole.stdout)
    said = "plug-in 'acme_data' of acme 1.0 (toolkit.models.data) is left out: OSError: libacme.so: invalid ELF header"
    assert result.stderr == f"warning: {said}\n"


def test_a_terminal_without_utf_8_gets_other_characters_and_no_traceback(tmp_path: Path) -> None:
    """All in one process, as `main` is called, with a standard output that knows nothing but ASCII."""
    bundle = Path(__file__).parents[1] / "data" / "0.1.0" / "perceptron"
    lines = [["models"], ["data"], ["formats"], ["recipes"], ["cache"], ["inspect", "onnx-int8"], ["report", "."], ["models", "--json"]]
    lines += [[], ["go", "--help"], *([name, "--help"] for name in toolkit.list_commands(click.Context(toolkit))), ["inspect", "nüchts"]]
    code = f"""
import sys
from toolkit.cli import main
for words in {lines!r}:
    sys.argv = ["toolkit", *words]
    try:
        main()
    except SystemExit as ended:
        print("code", words, ended.code)
"""
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "COLUMNS": "200"}
    result = subprocess.run([sys.executable, "-c", code], cwd=bundle, env=environment, capture_output=True, check=False)
    output, errors = result.stdout.decode(), result.stderr.decode()
    assert "Traceback" not in errors
    assert output.count("code [") == len(lines)
    assert {line.rpartition(" ")[2] for line in output.splitlines() if line.startswith("code [")} == {"0", "2"}
    assert " us" in output, "microseconds"
    assert "is not an artifact folder" in errors


def test_memory_that_is_full_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(toolkit, "main", lambda **_: np.empty(1 << 60, np.uint8))
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: not enough memory: Unable to allocate 1.00 EiB")
    assert error.count("\n") == 1


@pytest.mark.parametrize("json_words", [[], ["--json"]], ids=["table", "json"])
def test_a_benchmark_that_cannot_be_written_is_shown_all_the_same(tmp_path: Path, json_words: list[str]) -> None:
    a_trained_bundle(tmp_path)
    words = ["benchmark", "net", "--data", "s.npz", "--threads", "1", "--rounds", "3", "--seconds", "0.01", *json_words]
    # A limit on every file's size would reach into the engines' own processes too, and one of ten of them then died.
    (tmp_path / "net" / "benchmark.json").mkdir()
    result = subprocess.run([*TOOLKIT, *words], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (2, "error: cannot write 'net/benchmark.json': Is a directory; choose another folder\n")
    if json_words:
        assert BenchmarkReport.from_json(result.stdout.encode()).complete
    else:
        assert "Ship onnx-fp32" in result.stdout
    assert sorted(path.name for path in (tmp_path / "net").iterdir()) == ["benchmark.json", "onnx-fp32"]
    assert not list((tmp_path / "net" / "benchmark.json").iterdir())


@pytest.mark.parametrize("start", [TOOLKIT, [str(Path(sys.executable).with_name("toolkit"))]], ids=["module", "script"])
@pytest.mark.parametrize(
    ("module", "words", "number"),
    [
        ("click", ["models"], signal.SIGINT),
        ("rich", ["models"], signal.SIGINT),
        ("numpy", ["inspect", "x"], signal.SIGINT),
        ("click", ["models"], signal.SIGTERM),
        ("numpy", ["inspect", "x"], signal.SIGTERM),
    ],
)
def test_ctrl_c_while_a_command_is_imported_is_one_line(
    start: list[str], module: str, words: list[str], number: signal.Signals, tmp_path: Path
) -> None:
    # It comes while this module is imported, and as in some real ones the import makes another error of it.
    code = f"import os, time\ntry:\n    os.kill(os.getpid(), {int(number)})\n    time.sleep(30)\n"
    (tmp_path / f"{module}.py").write_text(code + "except KeyboardInterrupt:\n    raise ImportError('cut short') from None\n")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    result = subprocess.run([*start, *words], env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (128 + number, "")
    assert result.stderr == "\ninterrupted while the command was loading, before any work: rerun it\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_benchmark_keeps_what_was_measured_and_resumes(tmp_path: Path, number: signal.Signals, code: int) -> None:
    bundle = a_trained_bundle(tmp_path)
    command = [*TOOLKIT, "benchmark", "net", "--data", "s.npz", "--threads", "1", "--seconds", "0.05", "--rounds", "5"]
    child = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    # The third process shows that a round has been measured.
    seen: set[str] = set()
    deadline = time.monotonic() + 120
    while len(seen) < 3 and time.monotonic() < deadline:
        seen.update(_children(child.pid))
        time.sleep(0.01)
    child.send_signal(number)
    output, errors = child.communicate(timeout=60)
    partial = BenchmarkReport.load(bundle / "benchmark-partial.json")
    kept = partial.measurements[0].rounds
    rounds = "1 round" if len(kept) == 1 else f"{len(kept)} rounds"
    # Click begins a new line, for the ^C that a terminal shows.
    told = f"\ninterrupted; {rounds} kept in net/benchmark-partial.json. Rerun the same command to resume\n"
    assert (child.returncode, errors) == (code, told)
    while (left := [pid for pid in seen if _runs(pid)]) and time.monotonic() < deadline:  # One that has just begun ends by itself.
        time.sleep(0.05)
    assert left == [], "its processes have ended"
    assert "onnx-fp32" in output
    assert "The run was interrupted" in output
    assert not (bundle / "benchmark.json").exists()
    assert not partial.complete
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    resumed = f"resuming: {len(kept)} of 5 rounds are measured; to measure all anew, remove net/benchmark-partial.json\n"
    assert (again.returncode, again.stderr) == (0, resumed)
    (whole,) = (report := BenchmarkReport.load(bundle / "benchmark.json")).measurements
    assert report.complete
    assert whole.rounds[: len(kept)] == kept
    assert [(each.index, each.order) for each in whole.rounds] == [(n, n) for n in range(5)]
    assert not (bundle / "benchmark-partial.json").exists()


def a_trained_bundle(folder: Path) -> Path:
    """A bundle ``net`` of one net that passed, and samples beside it."""
    made = tiny_artifact(folder / "net")
    manifest = made.path / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"root": "trained"', '"root": ""'))
    (loaded,) = Bundle.load(folder / "net")
    with_parity(loaded)
    tiny_samples(40).save(folder / "s.npz")
    return folder / "net"


def _runs(pid: str) -> bool:
    """Whether a process is there and not only waits for somebody to ask how it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
