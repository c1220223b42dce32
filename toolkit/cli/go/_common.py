"""What the commands of ``toolkit go`` share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from toolkit.models.alphago.games import Go, Position


def go_of_net(net: Path, *, komi: float | None = None) -> Go:
    """The Go board that a net fits; raises `ToolkitError` where it is no net for Go.

    Komi is that with which it has learned, unless told; of a net that does not say, 9 on 7 x 7, elsewhere 7.
    """
    from toolkit.core import InputError
    from toolkit.models.alphago.games import Go
    from toolkit.models.alphago.net import signature_of
    from toolkit.pipeline.go.evaluator import artifact_of

    artifact = artifact_of(net)
    shape = artifact.manifest.signature.inputs[0].shape
    size = shape[-1] if len(shape) == 4 and isinstance(shape[-1], int) and 2 <= shape[-1] <= 19 else 0
    learned = artifact.manifest.details.get("komi", 9.0 if size == 7 else 7.0)
    if not isinstance(learned, int | float):
        raise InputError(f"the komi of '{net}'", expected="a number", got=repr(learned))
    game = Go(size or 9, komi=float(learned) if komi is None else komi)
    if [spec.shape[1:] for spec in artifact.manifest.signature.inputs] != [spec.shape[1:] for spec in signature_of(game).inputs]:
        raise InputError(f"'{net}' is no net for Go", expected=str(signature_of(game)), got=str(artifact.manifest.signature))
    return game


def default_net(size: int | None) -> Path:
    """The net that comes with the project for a board size, by default the largest; raises `UnknownNameError`."""
    from toolkit.models.alphago.shipped import shipped_net, shipped_nets

    largest = max(shipped_nets(), key=lambda name: int(name.rpartition("x")[2]), default="go-5x5")
    return shipped_net(f"go-{size}x{size}" if size else largest)


def drawn(position: Position) -> str:
    """The board with stones in rich markup: wood, black and white discs, and the last stone marked."""
    game, board, last = position.game, position.board(), position.last_cell
    columns = "ABCDEFGHJKLMNOPQRST"[: game.width]
    lines = ["    " + " ".join(columns)]
    for row, stones in enumerate(board):
        cells = []
        for column, stone in enumerate(stones):
            mark = "bold underline " if last == (row, column) else ""
            cells.append(("[grey42]·[/]", f"[{mark}black]●[/]", f"[{mark}white]○[/]")[stone])
        number = game.height - row
        lines.append(f"{number:>2} [on #d9a95b] {' '.join(cells)} [/] {number}")
    return "\n".join([*lines, lines[0]])


def outcome_line(position: Position) -> str:
    """Who won a game that has ended, and by how much."""
    import numpy as np

    territory = position.game.territory(position.states, np.zeros(1, np.int64))
    if territory is None or not float(territory[1][0]):
        return "drawn" if position.value == 0 else f"{'Black' if position.value > 0 else 'White'} wins"
    score = float(territory[1][0])
    return f"{'Black' if score > 0 else 'White'} wins by {abs(score):g}"
