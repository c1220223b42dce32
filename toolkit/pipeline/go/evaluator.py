"""A deployed network as what tree search asks: any open session of a policy/value net."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from toolkit.core import MANIFEST, Artifact, Bundle, SignatureError
from toolkit.models.alphago.games import Game, Go
from toolkit.models.alphago.net import signature_of
from toolkit.runtimes import Session, SessionOptions, open_session

from ..load import load


class SessionEvaluator:
    """``planes [B, C, H, W]`` float32 -> policy logits ``[B, A]`` and value ``[B]`` float32, by a session whose signature fits the game."""

    def __init__(self, session: Session, game: Game) -> None:
        """Raises `SignatureError` when the session is no policy/value net for `game`."""
        check_net(session, game)
        self.session = session

    def __call__(self, planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The network's two outputs."""
        policy, value = self.session.run(planes)
        return policy, value


def check_net(session: Session, game: Game) -> None:
    """Raise `SignatureError` unless the session takes the planes of `game` and gives a policy over its actions and a value."""
    want, have = signature_of(game), session.signature

    def shapes(specs: tuple[object, ...]) -> list[tuple[object, ...]]:
        return [(spec.dtype, *spec.shape[1:]) for spec in specs]  # type: ignore[attr-defined]

    if shapes(have.inputs) != shapes(want.inputs) or shapes(have.outputs) != shapes(want.outputs):
        raise SignatureError(f"this is no net for {game.name}", expected=str(want), got=str(have), hint="choose another net or board size")


def artifact_of(net: Path) -> Artifact:
    """An artifact, or one of a bundle; what they say of the game is the same in all of them. Raises `ArtifactError`."""
    return Artifact.load(net) if (net / MANIFEST).is_file() else next(iter(Bundle.load(net)))


def as_learned(net: Path, game: Game) -> Game:
    """`game` with its end valued as this net has learned to: some nets count the margin besides the win, and a search must too."""
    weight = artifact_of(net).manifest.details.get("score_weight", 0.0)
    return game.with_score_weight(float(weight)) if isinstance(game, Go) else game


def open_net(model: Path, game: Game, *, engine: str | None = None, device: str = "cpu", threads: int = 1) -> SessionEvaluator:
    """A net for `game` from an artifact, or a bundle's fastest one, on a device and `threads` threads; raises `ToolkitError`."""
    if (model / MANIFEST).is_file():
        session = open_session(Artifact.load(model), engine=engine, options=SessionOptions(device=device, threads=threads))
    else:
        session = load(model, engine=engine, device=device, threads=threads)
    try:
        return SessionEvaluator(session, game)
    except SignatureError:
        session.close()
        raise
