"""What the commands of ``toolkit go`` share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from toolkit.models.alphago.games import Go


F = TypeVar("F", bound=Callable[..., Any])


def net_option(function: F) -> F:
    """``--net``: an artifact, or a bundle whose fastest one is taken."""
    text = (
        "An artifact folder, or a bundle, of which the fastest that passed parity is taken. Default: the net that comes with the project."
    )
    return click.option("--net", type=click.Path(path_type=Path), help=text)(function)


def go_of_net(net: Path, *, komi: float | None = None) -> Go:
    """The Go board that a net fits; raises `ToolkitError` where it is no net for Go.

    Komi is that with which perfect play is thought to be a draw, 9 on 7 x 7, elsewhere 7, unless told.
    """
    from toolkit.core import MANIFEST, Artifact, Bundle, InputError
    from toolkit.models.alphago.games import Go
    from toolkit.models.alphago.net import signature_of

    artifact = Artifact.load(net) if (net / MANIFEST).is_file() else next(iter(Bundle.load(net)))
    shape = artifact.manifest.signature.inputs[0].shape
    size = shape[-1] if len(shape) == 4 and isinstance(shape[-1], int) and 2 <= shape[-1] <= 19 else 0
    game = Go(size or 9, komi=(9.0 if size == 7 else 7.0) if komi is None else komi)
    if [spec.shape[1:] for spec in artifact.manifest.signature.inputs] != [spec.shape[1:] for spec in signature_of(game).inputs]:
        raise InputError(f"'{net}' is no net for Go", expected=str(signature_of(game)), got=str(artifact.manifest.signature))
    return game
