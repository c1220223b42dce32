"""Deployed nets as what a search asks, with what they have learned of the game."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from toolkit.core import Samples
from toolkit.models.alphago.games import Game, Go, TicTacToe
from toolkit.models.alphago.net import NetOptions, build_net, export_net, signature_of
from toolkit.pipeline.convert import Request, convert, nodes
from toolkit.pipeline.go.evaluator import as_learned
from toolkit.pipeline.source.samples import Split


def test_what_a_net_has_learned_goes_with_it(tmp_path: Path) -> None:
    """Komi and the weight of the margin decide what its value means: a search must value the end of a game the same way."""
    game = Go(3, komi=2.5, score_weight=0.5)
    source = export_net(build_net(game, NetOptions(1, 8)), game=game, options=NetOptions(1, 8), out=tmp_path / "net" / "pt2-fp32")
    (row,) = convert(Request(source, nodes(["onnx"], ["fp32"]), tmp_path / "net", positions(game)))
    assert row.artifact is not None
    assert row.artifact.manifest.details == {"game": "go-3x3", "komi": 2.5, "score_weight": 0.5}
    learned = as_learned(row.artifact.path, Go(3, komi=6, ko="simple"))
    assert isinstance(learned, Go)
    assert (learned.komi, learned.ko, learned.score_weight) == (6, "simple", 0.5)
    assert as_learned(tmp_path / "net", TicTacToe()).name == "tic-tac-toe"


def positions(game: Game) -> Split:
    """Planes of noise: what is converted here is not what matters."""
    planes = np.random.default_rng(0).random((64, *signature_of(game).inputs[0].shape[1:])).astype(np.float32)  # type: ignore[arg-type]
    return Split(Samples({"planes": planes[:32]}), Samples({"planes": planes[32:]}))
