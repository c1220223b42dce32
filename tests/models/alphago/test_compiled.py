"""Kernels on disk belong to the sources they were compiled from: callers have the code of other files built in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tree import copy_toolkit, edit, run_tree

_FOUR = """
import numpy as np
from toolkit.models.alphago.games import ConnectFour
from toolkit.models.alphago.games.connect_four import _play
rows, four = np.zeros(1, np.int64), ConnectFour(4, 4)
states = four.new(1)
for column in (0, 1, 0, 1, 0, 1, 0):
    four.play(states, rows, np.array([column]))
print(four.outcome(states, rows)[1][0], sum(_play.stats.cache_hits.values()))
"""
_GO = """
import numpy as np
from toolkit.models.alphago.games import Go
rows, go = np.zeros(1, np.int64), Go(2, ko="simple")
states = go.new(1)
for action in (1, 4, 2):
    go.play(states, rows, np.array([action]))
print(*go.legal(states, rows)[0].astype(int))
"""


@pytest.fixture
def games(tmp_path: Path) -> Path:
    """The folder of the games in a copy of the toolkit that can be edited."""
    return copy_toolkit(tmp_path) / "models/alphago/games"


def test_an_edited_rule_is_played(games: Path, tmp_path: Path) -> None:
    """Connect Four's kernels have that of `mnk` built in; those that did not change are not compiled again."""
    cache = tmp_path / "cache"
    assert [run_tree(tmp_path, _FOUR, cache=cache) for _ in range(2)] == [["1.0 0"], ["1.0 1"]]
    edit(games / "mnk.py", "if run >= line:\n            counts[STATUS] = stone", "if run >= line:\n            counts[STATUS] = 3 - stone")
    assert [run_tree(tmp_path, _FOUR, cache=cache) for _ in range(2)] == [["-1.0 0"], ["-1.0 1"]]
    assert len(list((cache / "kernels").iterdir())) == 2


@pytest.mark.slow  # Compiles the rules of Go twice.
def test_an_edited_rule_of_go_is_played(games: Path, tmp_path: Path) -> None:
    assert run_tree(tmp_path, _GO, cache=tmp_path / "cache") == ["0 0 0 0 1"]
    edit(games / "_go_rules.py", "if rules[SUICIDE] == 0:\n            return 2", "if rules[SUICIDE] == 7:\n            return 2")
    assert run_tree(tmp_path, _GO, cache=tmp_path / "cache") == ["1 0 0 1 1"]


def test_without_a_place_for_kernels_they_are_compiled_each_time(games: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code = "from toolkit.models.alphago.games.connect_four import _drop\nprint(_drop._cache.cache_path)"
    assert run_tree(tmp_path, code, cache=tmp_path / "file") == ["None"]
    assert not list(games.rglob("*.nbi"))
