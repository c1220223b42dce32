"""The page's search against that of the toolkit: with the same answers of the network the same visits, one leaf at a time and several."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.pipeline.export.web.answers import hashed
from tests.pipeline.export.web.nodes import modules, run_node
from toolkit.core import Artifact
from toolkit.models.alphago.games import Go, Position
from toolkit.models.alphago.search import Search, SearchOptions
from toolkit.models.alphago.search.evaluator import Evaluator
from toolkit.models.alphago.shipped import shipped_net
from toolkit.pipeline.go.evaluator import SessionEvaluator
from toolkit.runtimes import SessionOptions, open_session
from toolkit.runtimes.browser.packages import NODE_PARTS, ONNXRUNTIME_IN_NODE, missing, repair

ROW = np.zeros(1, np.int64)


def cases(sizes: tuple[int, ...], count: int, playouts: tuple[int, ...], weight: float) -> list[tuple[Position, dict[str, Any]]]:
    """Positions after a few random moves, some of them so late that the search sees the end, and the same as go_search.mjs takes them."""
    random, made = np.random.default_rng(3), []
    for index in range(count):
        size = sizes[index % len(sizes)]
        stones = 2 if size >= 7 and index % 3 == 0 else 0
        game = Go(size, komi=6.5, handicap=stones, score_weight=weight)
        position = Position(game)
        for _ in range(int(random.integers(0, 2 * size * size - 4)) if index % 2 else index // 2):
            choices = np.flatnonzero(position.legal()[:-1])
            # An end is near where passes are: two of them end the game.
            action = int(random.choice(choices)) if len(choices) and random.random() < 0.9 else game.actions - 1
            position.play(action)
            if position.ended:
                position.undo()
                break
        given = {
            "rules": {"size": size, "komi": 6.5, "scoreWeight": weight},
            "setup": {"black": game.handicap_cells(stones), "toMove": 2} if stones else {},
            "moves": position.history,
            "playouts": playouts[index % len(playouts)],
            "leaves": 1 if index % 4 < 2 else 4,
        }
        made.append((position, given))
    return made


def check(made: list[tuple[Position, dict[str, Any]]], found: list[dict[str, Any]], evaluator: Callable[[Go], Evaluator]) -> None:
    for (position, given), thought in zip(made, found, strict=True):
        game = position.game
        assert isinstance(game, Go)
        search = Search(game, evaluator(game), 1, SearchOptions(leaves=given["leaves"]), max_playouts=given["playouts"], seed=0)
        want = search.run(position.states, ROW, np.array([given["playouts"]], np.int32))
        visits, q = np.zeros(game.actions, np.int32), np.full(game.actions, np.nan)
        for candidate in thought["candidates"]:
            visits[candidate["action"]], q[candidate["action"]] = candidate["visits"], 2 * candidate["winRate"] - 1
            assert candidate["line"] == [candidate["action"], *search.line(0, candidate["action"])]
            assert candidate["prior"] == pytest.approx(want.priors[0, candidate["action"]], abs=1e-7)
        assert visits.tolist() == want.visits[0].tolist(), given
        assert thought["action"] == want.action[0]
        first, again = thought["asked"]
        assert 0 < first <= given["playouts"] + 1
        assert again == 0, "all of it is kept"
        assert thought["again"] == [candidate["visits"] for candidate in thought["candidates"]]
        assert 2 * thought["winRate"] - 1 == pytest.approx(want.value[0], abs=1e-6)
        np.testing.assert_allclose(q, want.q[0], atol=1e-6)


def test_the_visits_are_those_of_the_toolkit(tmp_path: Path) -> None:
    made = cases((5, 3, 9, 7), 32, (1, 60, 200), weight=0.25)
    found = run_node("go_search.mjs", modules(tmp_path / "page"), [given for _, given in made])
    check(made, found, lambda game: hashed)
    assert any(len(position.history) > 20 for position, _ in made)


def test_so_they_are_with_a_net_that_comes_with_the_project(tmp_path: Path) -> None:
    if absent := missing(NODE_PARTS):
        pytest.skip(f"{absent}; run: {repair(NODE_PARTS)}")
    artifact = Artifact.load(shipped_net("go-5x5") / "onnx-int8")
    page = modules(tmp_path / "page")
    for name, source in (ONNXRUNTIME_IN_NODE.installed_files() | {"model.onnx": artifact.model_file}).items():
        (page / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, page / name)
    made = cases((5,), 4, (40,), weight=float(artifact.manifest.details["score_weight"]))
    found = run_node("go_search.mjs", page, [given for _, given in made])
    with open_session(artifact, engine="onnxruntime-web-node", options=SessionOptions(threads=1)) as session:
        check(made, found, lambda game: SessionEvaluator(session, game))
