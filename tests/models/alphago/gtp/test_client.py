from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from toolkit.core import EngineError, InputError
from toolkit.models.alphago.gtp.client import GtpClient

HANDSHAKE = """
import os, subprocess, sys, time
ANSWERS = {"protocol_version": "2", "name": "Odd One", "version": "1", "list_commands": "name\\nplay\\nslow"}
for line in sys.stdin:
    number, name, *rest = line.split() if line.split()[1:] else ["", *line.split()]
    if name in ANSWERS:
        print(f"={number} {ANSWERS[name]}\\n", flush=True)
"""


def engine(tmp_path: Path, behaviour: str) -> list[str]:
    """A program that shakes hands, and then does what `behaviour` says with `number`, `name` and `rest`."""
    script = tmp_path / "engine.py"
    body = "\n".join(f"        {line}" for line in behaviour.splitlines())
    script.write_text(f"{HANDSHAKE}    else:\n{body}\n")
    return [sys.executable, "-S", str(script)]


def gone(pid: int) -> bool:
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.02)
    return False


def test_gnu_go_answers(gnugo: Callable[[int], list[str]]) -> None:
    with GtpClient(gnugo(0)) as client:
        assert client.name == "GNU Go"
        assert client.version.startswith("3.")
        assert {"genmove", "final_score", "set_random_seed"} <= client.commands
        client.ask("boardsize 9")
        client.ask("play B E5")
        assert not client.send("play W E5").ok
        with pytest.raises(EngineError, match=r"'gnugo' refused 'play W E5': illegal move"):
            client.ask("play W E5")
        assert "E5" in client.ask("list_stones black")
        assert len(client.ask("showboard").splitlines()) > 9


def test_chatter_missing_numbers_and_refusals_are_understood(tmp_path: Path) -> None:
    command = engine(tmp_path, "print('thinking...')\nprint('? no', rest[0] if rest else name, end='\\n\\n', flush=True)")
    with GtpClient(command) as client:
        assert client.name == "Odd One"
        assert client.commands == {"name", "play", "slow"}
        assert client.send("play b").text == "no b"
        assert client.send("name").ok


def test_death_tells_the_last_words(tmp_path: Path) -> None:
    client = GtpClient(engine(tmp_path, "print('board is on fire', file=sys.stderr)\nos._exit(3)"))
    with pytest.raises(EngineError, match=r"died at 'play b A1'.*board is on fire"):
        client.send("play b A1")
    with pytest.raises(EngineError, match="died"):
        client.send("name")
    client.close()


def test_silence_ends_at_the_time_limit_and_kills_the_children_too(tmp_path: Path) -> None:
    script = (
        "child = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(600)'])\n"
        "print(f'{child.pid}', file=sys.stderr, flush=True)\ntime.sleep(600)"
    )
    client = GtpClient(engine(tmp_path, script))
    with pytest.raises(EngineError, match=r"did not answer 'slow' within 1 s: got on stderr: (\d+)") as caught:
        client.send("slow", timeout_s=1)
    child = int(str(caught.value).rsplit(maxsplit=1)[-1])
    assert gone(child)
    assert gone(client._process.pid)
    client.close()


def test_an_engine_that_does_not_leave_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = GtpClient(engine(tmp_path, "print('no', file=sys.stderr)\ntime.sleep(600)"))
    monkeypatch.setattr("toolkit.models.alphago.gtp.client._PATIENCE_S", 0.3)
    client.close()
    assert list(client._complaints) == ["no"]
    assert gone(client._process.pid)
    client.close()
    with pytest.raises(EngineError, match="was closed"):
        client.send("name")


def test_the_answer_to_another_command_is_an_error(tmp_path: Path) -> None:
    with GtpClient(engine(tmp_path, "print('=99 what', end='\\n\\n', flush=True)")) as client:
        with pytest.raises(EngineError, match="answered command 99 instead of 5"):
            client.send("play")


@pytest.mark.parametrize("command", [[sys.executable, "-c", "print('hello')"], [sys.executable, "-c", "while 1: print('=0 x\\n')"]])
def test_what_speaks_no_gtp_is_refused(command: list[str]) -> None:
    with pytest.raises(EngineError):
        GtpClient(command, timeout_s=20)


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(InputError, match="cannot start 'no-such-engine --mode gtp'"):
        GtpClient(["no-such-engine", "--mode", "gtp"])
    with pytest.raises(InputError, match="cannot start"):
        GtpClient([])


def test_one_command_at_a_time(tmp_path: Path) -> None:
    with GtpClient(engine(tmp_path, "print('=', *rest, end='\\n\\n', flush=True)")) as client:
        assert client.send("play b\nquit").text == "b quit"
        with pytest.raises(InputError, match="empty GTP command"):
            client.send(" # nothing")
