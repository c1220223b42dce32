"""What a learning run begins with: the weights of another run, or of a net that comes with the toolkit."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from toolkit.core import MANIFEST, Artifact, Format, Precision, artifact_name, available_threads
from toolkit.models.alphago.adopt import adopt
from toolkit.models.alphago.checkpoint import CHECKPOINT, load_weights
from toolkit.models.alphago.games import Game
from toolkit.models.alphago.learner import Learner
from toolkit.models.alphago.replay import Replay
from toolkit.models.alphago.selfplay import SelfPlay, SelfPlayOptions

from .evaluator import as_learned, open_net

_POSITIONS, _GAMES = 2048, 32
_QUICK = SelfPlayOptions(playouts=4, fast_playouts=4, full_share=1.0)


def begin(learner: Learner, game: Game, start: Path, *, seed: int) -> None:
    """Give `learner` the weights of `start`, the folder of a run, or a bundle with a net in ONNX, which plays a few games first.

    Raises:
        ArtifactError: neither is there, or it is damaged.
        InputError: of another net.
    """
    folder = start / artifact_name(Format.ONNX, Precision.FP32)
    if (start / CHECKPOINT).exists() or not (folder / MANIFEST).is_file():
        load_weights(start / CHECKPOINT, learner)
        return
    artifact = Artifact.load(folder)
    play = SelfPlay(as_learned(folder, game), open_net(folder, game, threads=available_threads()), _QUICK, games=_GAMES, seed=seed)
    replay = Replay(game)
    while replay.total < _POSITIONS:
        replay.add(play.step())
    adopt(learner, artifact.model_file, replay.newest(_POSITIONS).planes.astype(np.float32, copy=False))
