"""The search for recipes, on 200 digits and a net of one layer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from toolkit.core import InputError
from toolkit.models import TrainingRecipe, find_model
from toolkit.models.data import DataSet
from toolkit.models.training.recipes import encode_recipe, read_recipe
from toolkit.models.training.tune import SPACE, Trial, Tuning, _folds, tune

RECIPE = TrainingRecipe(epochs=3, batch_size=32, learning_rate=1e-4)


def search(data: DataSet, out: Path, **options: object) -> Tuning:
    return tune(find_model("perceptron"), data, recipe=RECIPE, out=out, **options)  # type: ignore[arg-type]


def test_a_better_recipe_is_found_and_the_search_goes_on(few: DataSet, tmp_path: Path) -> None:
    told: list[Trial] = []
    first = search(few, tmp_path, trials=3, on_trial=told.append)
    assert [trial.number for trial in told] == [0, 1, 2]
    assert told[0].changes == {name: getattr(RECIPE, name) for name in SPACE}, "the recipe as it is comes first"
    more = search(few, tmp_path, trials=8, on_trial=told.append)
    assert [trial.number for trial in told] == list(range(8))
    assert [replace(trial, seconds=0) for trial in more.trials[:3]] == [replace(trial, seconds=0) for trial in first.trials]
    assert more.best.loss is not None
    assert told[0].loss is not None
    assert more.best.loss < 0.8 * told[0].loss, "a learning rate of 1e-4 learns nothing in three epochs"
    assert more.recipe.learning_rate > 1e-4
    assert more.recipe.epochs == RECIPE.epochs
    assert search(few, tmp_path, trials=8).best == more.best, "nothing is left to try"


def test_a_grid_tries_every_combination_once(few: DataSet, tmp_path: Path) -> None:
    found = search(few, tmp_path, trials=6, sampler="grid", space=("learning_rate",))
    tried = sorted(trial.changes["learning_rate"] for trial in found.trials)
    assert set(SPACE["learning_rate"].values) <= {*tried, RECIPE.learning_rate}
    assert len(tried) == 6


def test_folds_divide_the_samples(few: DataSet, tmp_path: Path) -> None:
    targets = few.load("train").targets
    assert targets is not None
    parts = _folds(targets, 5, seed=0)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(targets)))
    assert all(len(np.unique(targets[part])) == 10 for part in parts)
    found = search(few, tmp_path, trials=1, folds=3)
    assert found.best.spread is not None
    assert found.best.spread > 0


def test_another_search_in_the_same_folder(few: DataSet, tmp_path: Path) -> None:
    search(few, tmp_path, trials=1)
    with pytest.raises(InputError, match=r"is a search with another folds: expected 2, got 1; give the same options, or another --out"):
        search(few, tmp_path, trials=1, folds=2)
    with pytest.raises(InputError, match=r"what is searched: expected some of .*, got dropout"):
        search(few, tmp_path, trials=1, space=("dropout",))


class TestRecipes:
    def test_there_and_back(self, tmp_path: Path) -> None:
        file = tmp_path / "recipe.json"
        file.write_bytes(encode_recipe(RECIPE))
        assert read_recipe(file) == RECIPE
        file.write_text('{"epochs": 7}')
        assert read_recipe(file) == TrainingRecipe(epochs=7)

    @pytest.mark.parametrize(
        ("content", "line"),
        [
            ("{", "is no recipe"),
            ("[]", "is no recipe"),
            ('{"epochs": "many"}', "is no recipe: Expected `int`"),
            ('{"epoch": 7}', r"names what no recipe has: expected .*epochs.*, got epoch"),
        ],
    )
    def test_damaged(self, tmp_path: Path, content: str, line: str) -> None:
        file = tmp_path / "recipe.json"
        file.write_text(content)
        with pytest.raises(InputError, match=line):
            read_recipe(file)
        with pytest.raises(InputError, match="no recipe"):
            read_recipe(tmp_path / "none.json")
