"""The GTP engine: every command, what is refused, garbage, analysis, time, and whole games driven by clients that we did not write."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.models.alphago.brain import Brain, Thought
from toolkit.models.alphago.games import Game, Go, Position, TicTacToe
from toolkit.models.alphago.gtp.client import GtpClient
from toolkit.models.alphago.gtp.clock import Clock
from toolkit.models.alphago.gtp.engine import GtpEngine
from toolkit.models.alphago.search import UctSearch

SABAKI = Path(__file__).parent / "sabaki"


def engine(*, playouts: int = 40, size: int = 5, sizes: frozenset[int] | None = None) -> GtpEngine:
    brain = Brain("uct", lambda game: UctSearch(game, 1, max_playouts=playouts, seed=0), playouts=playouts)
    return GtpEngine(brain, name="test", version="1", size=size, sizes=sizes)


def talk(commands: str, **settings: object) -> list[str]:
    """The replies to the commands, one a line, without the empty line after each."""
    spoken = engine(**settings)  # type: ignore[arg-type]
    return [reply.removesuffix("\n\n") for line in commands.splitlines() if (reply := spoken.handle(line)) is not None]


def test_the_required_commands_answer() -> None:
    replies = talk(
        "1 protocol_version\n2 name\n3 version\n4 known_command genmove\n5 known_command nothing\n"
        "6 boardsize 7\n7 clear_board\n8 komi 5.5\n"
        "9 play black C3\n10 play w pass\n11 final_score\n12 undo\n13 quit"
    )
    assert replies == ["=1 2", "=2 test", "=3 1", "=4 true", "=5 false", "=6", "=7", "=8", "=9", "=10", "=11 B+43.5", "=12", "=13"]


def test_every_listed_command_is_known_and_answers_something() -> None:
    commands = talk("list_commands")[0].removeprefix("= ").split("\n")
    required = "protocol_version name version known_command list_commands quit boardsize clear_board komi play genmove"
    tournament = "fixed_handicap place_free_handicap set_free_handicap time_settings time_left final_score final_status_list"
    others = "undo showboard loadsgf reg_genmove lz-analyze"
    assert set(f"{required} {tournament} {others}".split()) <= set(commands)
    for name in commands:
        assert talk(f"known_command {name}") == ["= true"]
        if not name.endswith(("analyze", "_analyze")):
            assert talk(name)[0][0] in "=?"


@pytest.mark.parametrize(
    ("commands", "reply"),
    [
        ("boardsize 77", "? unacceptable size"),
        ("boardsize many", "? syntax error"),
        ("komi", "? syntax error"),
        ("komi nan", "? syntax error"),
        ("play b", "? syntax error"),
        ("play green C3", "? syntax error"),
        ("play b Z9", "? invalid vertex, illegal move"),
        ("play b C3\nplay w C3", "? illegal move"),
        ("undo", "? cannot undo"),
        ("genmove", "? syntax error"),
        ("fixed_handicap 99", "? invalid number of stones"),
        ("play b C3\nfixed_handicap 2", "? board not empty"),
        ("set_free_handicap C3 C3", "? bad vertex list"),
        ("set_free_handicap C3 pass", "? bad vertex list"),
        ("place_free_handicap 1", "? invalid number of stones"),
        ("loadsgf /nowhere.sgf", "? cannot load file"),
        ("final_status_list", "? syntax error"),
        ("time_settings 1", "? syntax error"),
        ("who are you", "? unknown command"),
    ],
)
def test_what_is_refused(commands: str, reply: str) -> None:
    assert talk(commands)[-1] == reply


def test_a_brain_for_one_size_says_so() -> None:
    assert talk("boardsize 9\nboardsize 5", sizes=frozenset({5})) == ["? unacceptable size", "="]


def test_ko_is_an_illegal_move_and_the_game_goes_on() -> None:
    ko = "play b B1\nplay w C1\nplay b A2\nplay w D2\nplay b B3\nplay w C3\nplay b C2\nplay w B2\n"
    replies = talk(ko + "play b C2\nplay b E5\nplay w E1\nplay b C2")
    assert replies[-4:] == ["? illegal move", "=", "=", "="]


def test_handicap_and_komi_count_and_undo_keeps_the_stones() -> None:
    replies = talk("boardsize 9\nfixed_handicap 4\nkomi 0.5\ngenmove w\nundo\nfinal_score\nfinal_status_list alive\nfinal_status_list dead")
    assert sorted(replies[1].removeprefix("= ").split()) == ["C3", "C7", "G3", "G7"]
    assert replies[5] == "= B+80.5"
    assert sorted(replies[6].removeprefix("= ").split("\n")) == ["C3", "C7", "G3", "G7"]
    assert replies[7] == "="


def test_the_same_player_may_move_twice() -> None:
    assert talk("play b A1\nplay b B1\ngenmove b\nreg_genmove b")[1] == "="


def test_a_game_is_loaded_up_to_a_move(tmp_path: Path) -> None:
    file = tmp_path / "game.sgf"
    file.write_text("(;GM[1]FF[4]SZ[5]KM[3.5];B[aa];W[bb];B[cc])")
    spoken = engine()
    assert spoken.handle(f"loadsgf {file} 3") == "=\n\n"
    assert spoken.handle("final_status_list alive") == "= A5\nB4\n\n"
    assert "White to move" not in str(spoken.handle("showboard"))
    file.write_bytes(b"(;GM[1]SZ[5];B[zz")
    assert spoken.handle(f"loadsgf {file}") == "? cannot load file\n\n"
    assert spoken.handle("final_status_list alive") == "= A5\nB4\n\n"


@given(
    st.lists(
        st.one_of(st.text(max_size=40), st.sampled_from(["play b C3", "play w D4", "undo", "komi 1e400", "genmove w x", "clear_board"]))
    )
)
@settings(max_examples=60)
def test_garbage_never_ends_it(lines: list[str]) -> None:
    spoken = engine(playouts=4)
    for line in lines:
        reply = spoken.handle(line)
        assert reply is None or (reply[0] in "=?" and reply.endswith("\n\n"))
    assert spoken.handle("9 name") == "=9 test\n\n"


def test_a_stream_with_analysis_is_served_to_its_end() -> None:
    out = io.StringIO()
    engine(playouts=64).serve(
        io.StringIO("lz-analyze b 1\nname\nlz-genmove_analyze b 1\nlz-analyze green\nshowboard\n\x00\x01\nquit\nname\n"), out
    )
    replies = out.getvalue().split("\n\n")
    assert replies[0].startswith("=\ninfo move ")
    assert " visits " in replies[0]
    assert " pv " in replies[0]
    assert replies[1] == "= test"
    assert "\nplay " in replies[2]
    assert replies[3].startswith("? ")
    assert "White to move" in replies[4]
    assert replies[5] == "="
    assert replies[6] == "", "nothing is answered after quit"


@pytest.mark.parametrize("number", ["9" * 400, "9" * 5000, "-" + "9" * 400, "²", "1e3", "nan"])
def test_numbers_that_are_none_end_nothing(number: str) -> None:
    commands = [f"time_left b {number} 0", f"time_settings {number} 0 0", f"boardsize {number}", f"lz-analyze b {number}"]
    commands += [f"lz-analyze interval {number}", f"fixed_handicap {number}", f"loadsgf x {number}"]
    out = io.StringIO()
    engine(playouts=2).serve(io.StringIO("\n".join([*commands, "9 name"])), out)
    replies = out.getvalue().removesuffix("\n\n").split("\n\n")
    assert replies.pop() == "=9 test"
    assert len(replies) == len(commands)
    assert all(reply.startswith("? ") for reply in replies)


def test_a_fault_of_the_search_costs_one_reply(capsys: pytest.CaptureFixture[str]) -> None:
    def broken(_: object) -> UctSearch:
        raise RuntimeError("no memory left\n\nin the engine")

    spoken = GtpEngine(Brain("broken", broken, playouts=4), name="test", version="1", size=5)
    assert spoken.handle("3 genmove b") == "?3 internal error: no memory left\nin the engine\n\n"
    assert "RuntimeError" in capsys.readouterr().err
    out = io.StringIO()
    spoken.serve(io.StringIO("4 lz-analyze b 10\n5 name\n"), out)
    assert out.getvalue() == "?4 internal error: no memory left\nin the engine\n\n=5 test\n\n"


def test_a_brain_that_was_started_for_other_rules_plays_by_those_of_the_game() -> None:
    made = []

    def make(game: Game) -> UctSearch:
        made.append(game)
        return UctSearch(game, 1, max_playouts=8, seed=0)

    brain = Brain("uct", make, playouts=8)
    brain.start(Go(5))
    brain.start(Go(5))
    assert len(made) == 1, "the same rules need no other search"
    spoken = GtpEngine(brain, name="test", version="1", size=5)
    assert str(spoken.handle("genmove b")).startswith("= ")
    for other in (Go(5, ko="simple"), Go(5, suicide=True), Go(5, komi=0.5), Go((5, 4)), TicTacToe()):
        before = len(made)
        brain.start(other)
        assert len(made) == before + 1


def test_komi_keeps_what_was_set_up(tmp_path: Path) -> None:
    file = tmp_path / "game.sgf"
    file.write_text("(;GM[1]SZ[5]AB[aa]AW[bb]PL[B];B[cc];W[dd])")
    spoken = engine()
    spoken.handle(f"loadsgf {file}")
    before = spoken.handle("final_status_list alive")
    assert before == "= A5\nB4\nC3\nD2\n\n"
    spoken.handle("komi 3")
    assert spoken.handle("final_status_list alive") == before
    for first in (0, 1, -5):
        spoken.handle(f"loadsgf {file} {first}")
        assert spoken.handle("final_status_list alive") == "= A5\nB4\n\n"


def test_a_long_game_is_not_cut_off() -> None:
    spoken = engine(size=2)
    for _ in range(30):
        for line in ("play b A1", "play w pass", "undo", "undo", "play b pass", "play b A1", "play b pass", "undo"):
            assert str(spoken.handle(line)).startswith("=")
        spoken.handle("clear_board")
    for number in range(60):
        # One player alone may pass as long as he likes: nobody agreed to end the game.
        assert str(spoken.handle("play b pass")).startswith("="), number


@pytest.mark.parametrize(
    "arguments", ["", "b", "10", "b 10", "b interval 10", "interval 10", "10 avoid b C3 5", "B 10 ownership true", "rootInfo true"]
)
def test_what_boards_ask_of_an_analysis(arguments: str) -> None:
    out = io.StringIO()
    engine(playouts=64).serve(io.StringIO(f"1 kata-analyze {arguments}\n2 lz-analyze {arguments}\nname\n"), out)
    kata, leela, name = out.getvalue().removesuffix("\n\n").split("\n\n")
    assert name == "= test"
    assert re.match(r"=1\ninfo move [A-E][1-5] visits \d+ winrate [01]\.\d{6} prior 0\.\d{6} lcb", kata)
    assert re.match(r"=2\ninfo move [A-E][1-5] visits \d+ winrate \d{1,5} prior \d{1,5} lcb", leela)


def test_the_last_thought_of_an_analysis_is_told_and_lines_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    deeper = threading.Event()

    def analyse(brain: Brain, position: Position) -> Iterator[Thought]:
        for number, thought in enumerate(original(brain, position)):
            if number == 2:
                deeper.set()
            yield thought

    original = Brain.analyse
    monkeypatch.setattr(Brain, "analyse", analyse)
    reading, writing = os.pipe()
    out = io.StringIO()
    with os.fdopen(reading) as source, os.fdopen(writing, "w") as sink:
        serving = threading.Thread(target=engine(playouts=96).serve, args=(source, out))
        serving.start()
        sink.write("lz-analyze b 100000\n")
        sink.flush()
        assert deeper.wait(300)
        sink.write("1 name\n2 version\n3 protocol_version\nquit\n")
        sink.flush()
        serving.join(300)
    analysis, *replies = out.getvalue().removesuffix("\n\n").split("\n\n")
    lines = analysis.split("\n")[1:]
    assert len(lines) == 2, "the first thought, and the last"
    visits = [sum(int(count) for count in re.findall(r"visits (\d+)", line)) for line in lines]
    assert visits[0] < visits[1]
    assert replies == ["=1 test", "=2 1", "=3 2", "="]


def test_the_clock_spreads_its_time() -> None:
    clock = Clock()
    assert clock.seconds_for_move(0, cells=81, played=0) is None
    clock.set(80, 0, 0)
    assert clock.seconds_for_move(0, cells=81, played=1) == pytest.approx(1.9)
    clock.left(0, 4, 0)
    assert clock.seconds_for_move(0, cells=81, played=80) == pytest.approx(0.3)
    clock.left(1, 30, 10)
    assert clock.seconds_for_move(1, cells=81, played=80) == pytest.approx(2.9)
    clock.set(0, 30, 0)
    assert clock.seconds_for_move(0, cells=81, played=0) is None


def test_a_short_time_ends_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    thoughts: list[Thought] = []

    def think(brain: Brain, position: Position, *, seconds: float | None = None) -> Thought:
        thoughts.append(original(brain, position, seconds=seconds))
        return thoughts[-1]

    original = Brain.think
    monkeypatch.setattr(Brain, "think", think)
    spoken = engine(playouts=200_000, size=9)
    spoken.handle("time_settings 8 0 0")
    assert str(spoken.handle("genmove b")).startswith("= ")
    assert 0 < sum(candidate.visits for candidate in thoughts[0].candidates) < 200_000


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "toolkit", "go", "gtp", *words]


def test_our_client_drives_our_engine_as_a_process() -> None:
    with GtpClient(command("--uct", "--size", "5", "--playouts", "30")) as client:
        assert client.name == "Edge Inference Toolkit UCT"
        moves = [client.ask(f"genmove {'bw'[ply % 2]}") for ply in range(4)]
        assert len(moves) == 4
        assert "5" in client.ask("showboard")


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_the_controller_of_sabaki_drives_a_whole_game(tmp_path: Path) -> None:
    """With the net that comes with the project."""
    shutil.copytree(SABAKI, tmp_path / "sabaki", ignore=shutil.ignore_patterns("node_modules"))
    installed = subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund"], cwd=tmp_path / "sabaki", capture_output=True, text=True, check=False
    )
    if installed.returncode:
        pytest.skip("npm reaches no registry")
    words = ["node", "game.js", *command("--size", "5", "--playouts", "60")]
    played = subprocess.run(words, cwd=tmp_path / "sabaki", capture_output=True, text=True, check=False, timeout=120)
    assert played.returncode == 0, played.stderr
    result = json.loads(played.stdout)
    assert result["moves"][0] == "C3"
    assert result["moves"][-2:] == ["pass", "pass"] or result["moves"][-1] == "resign"
    assert result["refused"]
    assert result["lines"] > 0
