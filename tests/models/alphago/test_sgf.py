from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.core import ArtifactError, InputError
from toolkit.models.alphago.games import FIRST, SECOND
from toolkit.models.alphago.sgf import SgfGame, SgfMove, parse_sgf, read_sgf, result_text, sgf_text, write_sgf

NAMES = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), max_size=20)
COMMENTS = st.text(st.sampled_from("abcäß囲碁 ]\\[;():%\n0123"), max_size=40).map(
    lambda text: "\n".join(line.strip() for line in text.split("\n")).strip()
)


@st.composite
def games(draw: st.DrawFn) -> SgfGame:
    size = draw(st.integers(1, 25))
    colours = st.sampled_from([FIRST, SECOND])
    moves = draw(st.lists(st.builds(SgfMove, colours, st.integers(0, size * size), COMMENTS), max_size=30))
    stones = draw(st.lists(st.integers(0, size * size - 1), unique=True, max_size=10))
    black = draw(st.integers(0, len(stones)))
    return SgfGame(
        size=size,
        komi=draw(st.integers(-100, 100)) / 2,
        moves=tuple(moves),
        black=draw(NAMES),
        white=draw(NAMES),
        rules=draw(st.sampled_from(["", "Chinese", "Tromp-Taylor"])),
        result=draw(st.sampled_from(["", "B+3.5", "W+R", "0", "Void"])),
        handicap=black if black > 1 else 0,
        black_stones=tuple(sorted(stones[:black])),
        white_stones=tuple(sorted(stones[black:])),
        to_move=moves[0].colour if moves else SECOND if black > 1 else FIRST,
        comment=draw(COMMENTS),
    )


@settings(max_examples=60)
@given(games())
def test_what_is_written_is_read(game: SgfGame) -> None:
    assert parse_sgf(sgf_text(game).encode()) == game


def test_the_text_is_sgf_as_others_write_it() -> None:
    moves = (SgfMove(SECOND, 0, "White wins 54.3 %"), SgfMove(FIRST, 9), SgfMove(SECOND, 2))
    text = sgf_text(SgfGame(3, 0.5, moves, black="us", handicap=2, black_stones=(4, 8), to_move=SECOND, properties={"GN": "g1"}))
    for part in ("FF[4]", "GM[1]", "SZ[3]", "KM[0.5]", "HA[2]", "PL[W]", "GN[g1]", "PB[us]", ";C[White wins 54.3 %]W[aa];B[tt];W[ca])"):
        assert part in text.replace("\n", "")


def test_a_record_from_elsewhere() -> None:
    text = rb"(;GM[1]FF[4]SZ[9]KM[7]RU[Chinese]PB[Black \] player]RE[B+2.5];B[ee]C[centre];W[gc](;B[tt];W[])(;B[aa]))"
    game = parse_sgf(text)
    assert (game.size, game.komi, game.black, game.result) == (9, 7.0, "Black ] player", "B+2.5")
    assert [(move.colour, move.action) for move in game.moves] == [(FIRST, 40), (SECOND, 24), (FIRST, 81), (SECOND, 81)]
    assert game.moves[0].comment == "centre"
    assert len(parse_sgf(text, max_moves=2).moves) == 2


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "not a game of Go"),
        (b"hello", "not a game of Go"),
        (b"(;GM[1]SZ[9];B[ee]", "not a game of Go"),
        (b"(;GM[1]SZ[9];B[zz])", "not a game of Go"),
        (b"(;GM[1]SZ[nine];B[ee])", "not a game of Go"),
        (b"(;GM[1]SZ[9:13];B[ee])", "not a game of Go"),
        (b"(;GM[1]SZ[99];B[ee])", "not a game of Go"),
        (b"(;GM[1]SZ[9]KM[lots];B[ee])", "not a game of Go"),
        (b"(;GM[1]CA[klingon]SZ[9];B[ee])", "not a game of Go"),
        (b"(;GM[2]SZ[8];B[ee])", "another game than Go"),
        (b"(;GM[1]SZ[9];B[ee];AB[aa])", "set up after the first node"),
        (b"\x89PNG\r\n\x1a\n\x00\xff" * 100, "not a game of Go"),
        (b"(;GM[1]SZ[9]KM[nan];B[ee])", "not a game of Go"),
        (b"(;C[" + b"x" * 9_000_000 + b"])", "at most"),
    ],
)
def test_damaged_records_are_one_line(content: bytes, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "game.sgf"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=problem) as caught:
        read_sgf(path)
    assert "game.sgf" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_brackets_as_deep_as_they_come_are_read() -> None:
    assert parse_sgf(b"(;SZ[9]" + b"(;B[aa]" * 5000 + b")" * 5001).moves[4999] == SgfMove(FIRST, 0)


@settings(max_examples=200)
@given(st.data())
def test_any_damage_is_read_or_refused(data: st.DataObject) -> None:
    content = bytearray(b"(;GM[1]FF[4]CA[UTF-8]SZ[9]KM[7.5]HA[2]AB[ee][cc]PL[W]RE[W+R];W[gc]C[a];B[];W[aa](;B[bb])(;B[cc]))")
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))]
    with contextlib.suppress(ArtifactError):
        parse_sgf(bytes(content))


def test_files_are_whole_and_missing_ones_named(tmp_path: Path) -> None:
    game = SgfGame(5, 7.5, (SgfMove(FIRST, 12),))
    write_sgf(tmp_path / "new" / "a.sgf", game)
    assert read_sgf(tmp_path / "new" / "a.sgf") == game
    with pytest.raises(ArtifactError, match="cannot read"):
        read_sgf(tmp_path / "none.sgf")
    with pytest.raises(InputError, match="1 to 25"):
        sgf_text(SgfGame(26, 0))


def test_results() -> None:
    assert result_text(1, score=3.5) == "B+3.5"
    assert result_text(-1, score=-12.0) == "W+12"
    assert result_text(-1, resigned=True) == "W+R"
    assert result_text(0, score=0.0) == "0"
    assert result_text(1) == "B+"
