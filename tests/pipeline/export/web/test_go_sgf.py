"""Records of the page's board against those of the toolkit, which a library of others (sgfmill) reads and writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.pipeline.export.web.nodes import modules, run_node
from toolkit.models.alphago.sgf import SgfGame, SgfMove, parse_sgf, sgf_text


def records() -> list[SgfGame]:
    random, made = np.random.default_rng(5), []
    for size in (2, 5, 9, 13, 19):
        cells = [int(cell) for cell in random.permutation(size * size)]
        moves = tuple(
            SgfMove(int(random.integers(2)), int(random.integers(size * size + 1)), "a [note] (with; all \\ of it)") for _ in range(30)
        )
        made.append(SgfGame(size, 6.5, moves, to_move=moves[0].colour))
        made.append(SgfGame(size, 0.0, moves, handicap=2, black_stones=tuple(sorted(cells[:2])), white_stones=(cells[2],), to_move=1))
    return made


def test_a_record_is_read_and_written_as_the_toolkit_does(tmp_path: Path) -> None:
    texts = [sgf_text(record) for record in records()]
    for record, found in zip(records(), run_node("go_sgf.mjs", modules(tmp_path / "page"), texts), strict=True):
        read = found["read"]
        assert (read["size"], read["komi"], read["handicap"]) == (record.size, record.komi, record.handicap)
        assert read["moves"] == [[move.colour + 1, move.action] for move in record.moves]
        assert (sorted(read["black"]), read["white"]) == (list(record.black_stones), list(record.white_stones))
        assert read["toMove"] == record.to_move + 1
        again = parse_sgf(found["written"].encode())
        assert (again.size, again.komi, again.handicap) == (record.size, record.komi, record.handicap)
        assert [(move.colour, move.action) for move in again.moves] == [(move.colour, move.action) for move in record.moves]
        assert (again.black_stones, again.white_stones) == (record.black_stones, record.white_stones)
        assert (again.black, again.white, again.result) == ("a ]\\ b", "c", "W+2.5")
        if record.white_stones:  # else it is who plays first
            assert again.to_move == record.to_move


def test_what_others_write_is_read_and_what_is_none_is_refused(tmp_path: Path) -> None:
    texts = {
        "(;GM[1]SZ[9](;B[aa];W[bb](;B[cc])(;B[dd]))(;B[ee]))": [[1, 0], [2, 10], [1, 20]],  # the first variations
        "text before (;SZ[19]\n ;Black[pd]\n;W[tt];B[])": [[1, 72], [2, 361], [1, 361]],
        "(;SZ[9]AB[aa:bb]HA[4];W[ii])": [[2, 80]],
        "(;SZ[9];B[jj])": "expected a point of 9 x 9, got [jj]",
        "(;SZ[9];B[a])": "expected a point of 9 x 9, got [a]",
        "(;SZ[9:13];B[aa])": "expected a board of 1 to 26 lines, got SZ[9:13]",
        "(;GM[2]SZ[8])": "expected a record of Go, got GM[2]",
        "(;SZ[9];AB[aa])": "stones are set up after the first node",
        "(;SZ[9]KM[x];B[aa])": "expected numbers in KM and HA",
        "(;SZ[9];B[aa]": "the game record (SGF) is cut short",
        "(;SZ[9];B[aa": "the game record (SGF) is damaged",
        "()": "the game record (SGF) is damaged",
        "(;[aa])": "the game record (SGF) is damaged: a value without a name",
        "[]": "expected a game record (SGF)",
    }
    found = run_node("go_sgf.mjs", modules(tmp_path / "page"), list(texts))
    for (text, want), have in zip(texts.items(), found, strict=True):
        assert (have["error"] if isinstance(want, str) else have["read"]["moves"]) == want, text
    setup = next(have["read"] for text, have in zip(texts, found, strict=True) if "AB[aa:bb]" in text)
    assert setup == {"size": 9, "komi": 0, "handicap": 4, "black": [0, 1, 9, 10], "white": [], "toMove": 2, "moves": [[2, 80]]}
