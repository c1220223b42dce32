"""The Elo of a learning run, from real matches of real artifacts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from toolkit.core import InputError
from toolkit.models.alphago.checkpoint import Generation, Rated
from toolkit.models.alphago.games import ConnectFour, Game, Go, TicTacToe
from toolkit.models.alphago.net import NetOptions, build_net, export_net
from toolkit.pipeline.go.rating import Rating, RatingOptions

GENERATION = Generation(1, 8, 40, 5.0, 0.5, 0.0, 0, 0, 100, 0, 1.0, 1.0, 1.0, 1, "", 1.0, 1.0, 1.0, 1.0, 1.0)


def artifact(game: Game, folder: Path, *, never: int | None = None) -> Path:
    """A fresh net; with `never`, one that hardly looks at that action."""
    torch.manual_seed(0)
    options = NetOptions(1, 8)
    net = build_net(game, options)
    if never is not None:
        torch.nn.init.constant_(net.dense.bias[never : never + 1], -20.0)
    return export_net(net, game=game, options=options, out=folder / "pt2-fp32").path


def test_only_some_generations_are_rated(tmp_path: Path) -> None:
    rating = Rating(TicTacToe(), RatingOptions(every=4), folder=tmp_path, seed=0)
    assert [n for n in range(1, 10) if rating.due(n)] == [1, 5, 9]
    never = Rating(TicTacToe(), RatingOptions(every=0), folder=tmp_path, seed=0)
    assert not any(never.due(n) for n in range(1, 10))


@pytest.mark.slow
def test_a_chain_of_matches_makes_one_scale(tmp_path: Path) -> None:
    game = ConnectFour(5, 4)
    blind, seeing = artifact(game, tmp_path / "blind", never=2), artifact(game, tmp_path / "seeing")
    rating = Rating(game, RatingOptions(every=1, games=32, playouts=32), folder=tmp_path / "rated", seed=0)
    assert rating.rate(blind, 1, ()) is None, "nothing came before"
    first = GENERATION
    better = rating.rate(seeing, 2, (first,))
    assert better is not None
    assert (better.against, better.lost + better.drawn + better.won) == (1, 32)
    assert better.elo.low < better.elo.value < better.elo.high
    second = replace(first, generation=2, rated=better)
    again = rating.rate(blind, 3, (first, second))
    assert again is not None
    assert again.against == 2
    assert (again.lost, again.drawn, again.won) == pytest.approx((better.won, better.drawn, better.lost), abs=8)
    assert again.elo.low < 0 < again.elo.high, "the same net as the first: as strong"
    assert again.elo.high - again.elo.low > better.elo.high - better.elo.low, "two matches away is less sure"


def test_a_net_that_was_rated_in_a_lost_round_is_replaced(tmp_path: Path) -> None:
    game = ConnectFour(5, 4)
    net = artifact(game, tmp_path / "net")
    rating = Rating(game, RatingOptions(every=1, games=8, playouts=4), folder=tmp_path / "rated", seed=0)
    rating.rate(net, 1, ())
    before = rating.rate(net, 2, (GENERATION,))
    assert rating.rate(net, 2, (GENERATION,)) == before, "a resumed run plays the same match again"
    assert isinstance(before, Rated)


def test_a_game_with_too_few_openings_has_no_elo(tmp_path: Path) -> None:
    game = Go(2)
    net = artifact(game, tmp_path / "net")
    rating = Rating(game, RatingOptions(every=1, games=64, playouts=4), folder=tmp_path / "rated", seed=0)
    assert rating.rate(net, 1, ()) is None
    assert rating.rate(net, 2, (GENERATION,)) is None


@pytest.mark.parametrize("change", [{"games": 7}, {"games": 0}, {"playouts": 0}, {"every": -1}])
def test_options_are_checked(change: dict[str, int]) -> None:
    with pytest.raises(InputError, match="rating"):
        replace(RatingOptions(), **change)
