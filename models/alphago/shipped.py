"""The trained nets that come with the project: small ones, each learned by this project's own self-play, as ONNX in fp32 and int8."""

from __future__ import annotations

from pathlib import Path

from toolkit.core import UnknownNameError

_NETS = Path(__file__).parent / "nets"


def shipped_nets() -> dict[str, Path]:
    """Bundles by the name of their game, such as ``go-5x5``."""
    return {folder.name: folder for folder in sorted(_NETS.iterdir()) if folder.is_dir()} if _NETS.is_dir() else {}


def shipped_net(game: str) -> Path:
    """The bundle for the game of this name; raises `UnknownNameError`."""
    nets = shipped_nets()
    if game not in nets:
        raise UnknownNameError("trained net", game, nets)
    return nets[game]
