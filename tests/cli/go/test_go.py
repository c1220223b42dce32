"""The commands of ``toolkit go`` on the net that comes with the project, as a user calls them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from toolkit.cli import toolkit
from toolkit.core import Artifact, Verdict
from toolkit.models.alphago.games import Go, Position
from toolkit.models.alphago.sgf import read_sgf
from toolkit.models.alphago.shipped import shipped_net, shipped_nets
from toolkit.pipeline.go.train import METRICS

NET = str(shipped_net("go-5x5") / "onnx-int8")
COMMANDS = ("demo", "gtp", "match", "play", "selfplay", "strength", "train")


def call(*words: str, said: str | None = None, code: int = 0) -> Result:
    result = CliRunner().invoke(toolkit, ["go", *words], input=said, catch_exceptions=True)
    if code == 0:
        assert result.exit_code == 0, result.output + str(result.exception)
    return result


def refusal(*words: str) -> str:
    """The one line of a refusal, as the whole program prints it."""
    result = subprocess.run([sys.executable, "-m", "toolkit", "go", *words], capture_output=True, text=True, check=False)
    assert result.returncode == 2, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_80_columns(command: str) -> None:
    assert max(map(len, call(command, "--help").output.splitlines())) <= 80


def test_every_command_is_listed() -> None:
    listed = call("--help").output.partition("Commands:")[2]
    assert tuple(line.split()[0] for line in listed.strip().splitlines()) == COMMANDS


def test_what_ships_is_proved_and_opens_in_the_centre() -> None:
    assert shipped_nets()
    for name, bundle in shipped_nets().items():
        for precision in ("fp32", "int8"):
            assert Artifact.load(bundle / f"onnx-{precision}").verdict is Verdict.PASSED, name
    game = json.loads(call("demo", "--size", "5", "--playouts", "400", "--seed", "3", "--json").output)
    assert game["black"] == "onnx-fp32"
    assert game["white"] == "onnx-int8"
    assert game["moves"][0]["move"] == "C3"
    assert all(0 <= move["black_wins"] <= 1 for move in game["moves"])
    position = Position(Go(5, komi=7.0))
    for move in game["moves"]:
        position.play(position.game.action_of(move["move"]))
    assert position.ended


def test_the_demo_without_a_terminal_prints_the_game_once() -> None:
    output = call("demo", "--size", "5", "--playouts", "20").output
    assert output.count("A B C D E") == 2
    assert "wins by" in output or "drawn" in output


def test_a_person_plays_errs_undoes_and_resigns(tmp_path: Path) -> None:
    record = tmp_path / "game.sgf"
    output = call("play", "--size", "5", "--playouts", "30", "--sgf", str(record), said="C3\nZ9\nC3\nhint\nundo\nB2\nresign\n").output
    assert "no move 'z9'" in output
    assert "the point is occupied" in output
    assert output.count("the net plays") == 2
    assert "chance to win" in output
    game = read_sgf(record)
    assert game.result == "W+R"
    assert len(game.moves) == 2


def test_the_game_ends_with_the_input() -> None:
    assert call("play", "--size", "5", "--playouts", "10", "--colour", "white", said="").output.count("the net plays") == 1


def test_selfplay_reports_and_keeps_its_games(tmp_path: Path) -> None:
    words = ["selfplay", "--net", NET, "--games", "4", "--playouts", "8", "--processes", "1", "--sgf", str(tmp_path / "games"), "--json"]
    told = json.loads(call(*words).output)
    files = sorted((tmp_path / "games").glob("*.sgf"))
    assert len(files) == told["games"] >= 4
    assert told["evaluations"] > 0
    assert sum(len(read_sgf(file).moves) for file in files) == told["moves"]


def test_a_match_is_told_in_elo(tmp_path: Path) -> None:
    output = call("match", f"{NET}@60", "random", "--games", "6", "--sgf", str(tmp_path)).output
    assert "onnx-int8@60 against random, go-5x5: won 6, drawn 0, lost 0" in output
    assert "n=6 games in 3 pairs" in output
    assert len(list(tmp_path.glob("*.sgf"))) == 6
    told = json.loads(call("match", "uct:30", "random", "--game", "tic-tac-toe", "--games", "4", "--json").output)
    assert told["won"] + told["drawn"] + told["lost"] == 4


@pytest.mark.slow
@pytest.mark.parametrize("more", [[], ["--equal-time"]])
def test_strength_compares_the_precisions(more: list[str]) -> None:
    told = json.loads(call("strength", "--games", "8", "--playouts", "16", "--opening", "3", "--json", "-", *more).output)
    names = {rating["name"].partition("@")[0] for rating in told["ratings"]}
    assert names == {"onnx-fp32", "onnx-int8"}
    assert told["matches"][0]["won"] + told["matches"][0]["drawn"] + told["matches"][0]["lost"] == 8
    table = call("strength", "--games", "4", "--playouts", "8", "--opening", "3", *more).output
    assert "n=4 games in pairs" in table


@pytest.mark.slow
def test_a_short_training_leaves_a_net_that_plays(tmp_path: Path) -> None:
    words = ["train", "--game", "go-3x3", "--blocks", "1", "--channels", "8", "--games", "60", "--playouts", "8", "--fast-playouts", "4"]
    words += ["--generations", "1", "--play", "onnx-fp32", "--ship", "onnx", "--processes", "1", "--out", str(tmp_path / "run")]
    assert "onnx-int8" in call(*words).output
    assert "holds a run; go on with it: --resume; replace it: --overwrite" in refusal(*words)
    game = json.loads(call("demo", "--net", str(tmp_path / "run" / "alphago"), "--playouts", "4", "--delay", "0", "--json").output)
    assert game["game"] == "go-3x3"


@pytest.mark.slow
def test_weights_that_played_become_artifacts_later(tmp_path: Path) -> None:
    words = ["train", "--game", "tic-tac-toe", "--blocks", "1", "--channels", "8", "--games", "100", "--playouts", "8", "--leaves", "2"]
    words += ["--play", "torch", "--rate-every", "0", "--anneal", "0.1", "--batch-size", "64", "--processes", "1", "--generations", "2"]
    words += ["--out", str(tmp_path)]
    assert "onnx" not in call(*words, "--ship", "none").output
    assert not (tmp_path / "alphago").exists()
    assert "onnx-int8" in call(*words, "--ship", "onnx", "--resume").output
    assert "cannot be rated" in refusal(*words, "--rate-every", "3", "--overwrite")


@pytest.mark.slow
def test_a_training_that_was_killed_goes_on(tmp_path: Path) -> None:
    """A kill that nothing can catch, in the middle of a generation: what was finished before it stays."""
    run = tmp_path / "run"
    words = ["train", "--game", "tic-tac-toe", "--blocks", "1", "--channels", "8", "--games", "100", "--playouts", "8"]
    words += ["--fast-playouts", "4", "--play", "onnx-fp32", "--ship", "onnx", "--processes", "1", "--rate-every", "0", "--out", str(run)]
    program = [sys.executable, "-m", "toolkit", "go", *words]
    process = subprocess.Popen([*program, "--generations", "1000"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    log, deadline = run / METRICS, time.monotonic() + 300
    while not (log.is_file() and log.read_bytes().count(b"\n") >= 2):
        assert process.poll() is None, "the training ended by itself"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.kill()
    process.wait()
    before = log.read_bytes().splitlines()
    call(*words, "--generations", str(len(before) + 2), "--resume")
    after = log.read_bytes().splitlines()
    # The checkpoint is written before the log: a kill between the two leaves the log one generation behind.
    assert after[: len(before)] == before
    assert len(after) == len(before) + 2
    assert Artifact.load(run / "alphago" / "onnx-int8").name == "onnx-int8"
    assert not [path for path in run.rglob("*") if path.name.startswith(".")], "nothing half-written stays"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["play", "--size", "17"], "unknown trained net 'go-17x17'"),
        (["demo", "--black", "onnx-int3"], "unknown artifact 'onnx-int3'"),
        (["selfplay", "--net", "/nowhere"], "no bundle"),
        (["match", "alphazero", "random"], "no player 'alphazero'"),
        (["match", "uct:many", "random"], "no player 'uct:many'"),
        (["match", "random", "random", "--games", "3"], "even number"),
        (["match", "gtp:/no/such/engine", "random", "--games", "2"], "/no/such/engine"),
        (["match", f"{NET}@10", "random", "--game", "go-7x7", "--games", "2"], "no net for go-7x7"),
        (["strength", NET], "at least 2"),
        (["train", "--game", "chess"], "unknown game 'chess'"),
        (["train", "--game", "tic-tac-toe", "--komi", "3"], "of Go, not of tic-tac-toe"),
        (["mach"], "Did you mean 'match'"),
    ],
)
def test_bad_input_is_one_line(words: list[str], line: str) -> None:
    assert line in refusal(*words)
