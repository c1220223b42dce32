"""The page's thread without a page: it searches the position that it is told, with the rules of the net, and gives up for a newer one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.pipeline.export.web.answers import hashed
from tests.pipeline.export.web.nodes import HERE, modules, run_node
from toolkit.models.alphago.games import Go, Position
from toolkit.models.alphago.search import Search, SearchOptions

SIZE, PLAYOUTS, WEIGHT = 7, 48, 0.5
ABOUT = {"model": "model.onnx", "game": {"family": "go", "width": SIZE, "height": SIZE, "rules": {"komi": 9.0, "score_weight": WEIGHT}}}


@pytest.fixture
def page(tmp_path: Path) -> Path:
    folder = modules(tmp_path / "page")
    (folder / "engine.js").write_text(f"export {{open}} from '{(HERE / 'hashed.mjs').as_uri()}';")
    return folder


def visits(game: Go, moves: list[tuple[int, int]], black: Sequence[int] = (), white: Sequence[int] = ()) -> dict[int, int]:
    states = game.new(1)
    game.place(states, 0, 0, black)
    game.place(states, 0, 1, white)
    position = Position(game, states)
    for player, action in moves:
        position.play(action, player)
    search = Search(game, hashed, 1, SearchOptions(leaves=4), max_playouts=PLAYOUTS, seed=0)
    found = search.run(position.states, np.zeros(1, np.int64), np.array([PLAYOUTS], np.int32)).visits[0]
    return {int(action): int(found[action]) for action in np.flatnonzero(found)}


def told(setup: dict[str, Any], moves: list[tuple[int, int]], **options: float) -> dict[str, Any]:
    return {
        "position": {"options": options, "setup": setup, "moves": [[player + 1, action] for player, action in moves]},
        "playouts": PLAYOUTS,
    }


def test_it_searches_what_it_is_told(page: Path) -> None:
    handicap = Go(SIZE, komi=0.5, handicap=2, score_weight=WEIGHT)
    walls = {
        "black": [*range(1, 21)],
        "white": [*range(28, 48)],
    }  # few points are left, and after one pass another is the end: komi decides
    passed = [(0, 49)]
    twice = [(0, 3), (0, 10), (0, 17)]
    searches = {
        "handicap": (told({"black": handicap.handicap_cells(2), "toMove": 2}, [], komi=0.5), visits(handicap, [])),
        "komi of the net": (told(walls, passed), visits(Go(SIZE, komi=9.0, score_weight=WEIGHT), passed, **walls)),
        "another komi": (told(walls, passed, komi=-9.0), visits(Go(SIZE, komi=-9.0, score_weight=WEIGHT), passed, **walls)),
        "one player": (told({}, twice), visits(Go(SIZE, komi=9.0, score_weight=WEIGHT), twice)),
    }
    assert searches["komi of the net"][1] != searches["another komi"][1]
    given = {"about": ABOUT, "searches": [search for search, _ in searches.values()], "together": False}
    found = run_node("go_worker.mjs", page, given)
    assert found["opened"] == {"id": 0, "value": {"threads": 3}}
    for (name, (_, want)), answer in zip(searches.items(), found["answers"], strict=True):
        assert {candidate["action"]: candidate["visits"] for candidate in answer["value"]["candidates"]} == want, name


def test_it_gives_up_for_a_newer_search_and_tells_how_far_it_is(page: Path) -> None:
    long = {**told({}, []), "playouts": 100_000}
    found = run_node("go_worker.mjs", page, {"about": ABOUT, "searches": [long, long, told({}, [])], "together": True})
    counts = [answer["value"]["playouts"] for answer in found["answers"]]
    assert max(counts[:2]) < 100_000
    assert counts[2] == PLAYOUTS
    assert found["progress"]


def test_what_goes_wrong_is_an_answer(page: Path) -> None:
    over = told({}, [(0, 49), (1, 49)])
    (answer,) = run_node("go_worker.mjs", page, {"about": ABOUT, "searches": [over], "together": False})["answers"]
    assert answer == {"id": 1, "error": "expected a game that goes on, got one that has ended"}
