from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.models.alphago.gtp.protocol import MAX_LINE, Command, Reply, clean, format_reply, parse_command, read_lines, read_replies


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("play b D4\n", Command("", "play", ("b", "D4"))),
        ("12 play b D4\r\n", Command("12", "play", ("b", "D4"))),
        ("  7\tname # who is it\n", Command("7", "name", ())),
        ("\x01na\x07me\n", Command("", "name", ())),
        ("3\n", Command("3", "", ())),
        ("3d go\n", Command("", "3d", ("go",))),
        ("# only a comment\n", None),
        ("\r\n", None),
        ("", None),
    ],
)
def test_commands(line: str, command: Command | None) -> None:
    assert parse_command(line) == command


@given(st.text(max_size=60))
def test_any_line_has_a_command_or_none(line: str) -> None:
    command = parse_command(line)
    assert (command is None) == (not clean(line))


@given(st.text(max_size=80), st.booleans(), st.sampled_from(["", "0", "17"]))
def test_a_reply_is_read_back_as_one(text: str, ok: bool, number: str) -> None:
    written = format_reply(number, Reply(ok, text))
    assert written.endswith("\n\n")
    assert written.count("\n\n") == 1
    replies = list(read_replies(io.StringIO(written, newline="\n")))
    assert [(n, reply.ok) for n, reply in replies] == [(number, ok)]


def test_replies_among_chatter() -> None:
    text = "banner\n\n=1 D4\n\nlog line\n?2 illegal move\n\n=3\n\n=4 A\nB\n\n=5 cut off"
    assert [(number, reply.ok, reply.text) for number, reply in read_replies(io.StringIO(text))] == [
        ("1", True, "D4"),
        ("2", False, "illegal move"),
        ("3", True, ""),
        ("4", True, "A\nB"),
    ]


def test_a_line_without_end_takes_no_memory() -> None:
    lines = list(read_lines(io.StringIO("x" * (3 * MAX_LINE + 5) + "\nname\n" + "y" * MAX_LINE + "\nquit")))
    assert [line[:4] for line in lines] == ["xxxx", "name\n"[:4], "yyyy", "quit"]
    assert max(map(len, lines)) <= MAX_LINE
