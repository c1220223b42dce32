"""``lz-analyze`` and its like: what a search thinks while it thinks, in the text that boards such as Sabaki and Lizzie read."""

from __future__ import annotations

import re
from dataclasses import dataclass

from toolkit.core import InputError

from ..brain import Thought
from ..games import Game
from .protocol import COLOURS, Command

_KEYS = frozenset(  # of Leela Zero and KataGo
    [
        "interval",
        "minmoves",
        "maxmoves",
        "avoid",
        "allow",
        "rootinfo",
        "ownership",
        "ownershipstdev",
        "movesownership",
        "pvvisits",
        "pvedgevisits",
    ]
)
_NUMBER = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True)
class AnalysisRequest:
    """Whose move is asked for, None for whose turn it is, and centiseconds between lines, which is a wish."""

    colour: int | None = None
    interval_cs: int = 100


def parse_analysis(command: Command) -> AnalysisRequest:
    """The arguments of ``lz-analyze [colour] [N] [interval N] [key value ...]``; raises `InputError`.

    Other keys, such as ``ownership true`` or ``avoid``, are wishes that are passed over: boards send them unasked.
    """
    words = [word.lower() for word in command.arguments]
    colour = COLOURS.get(words[0]) if words else None
    rest = words if colour is None else words[1:]
    interval = rest[0] if rest and _NUMBER.fullmatch(rest[0]) else "100"
    if rest and interval != rest[0] and rest[0] not in _KEYS:
        raise InputError("syntax error")
    if "interval" in rest:
        interval = (rest[rest.index("interval") + 1 :] or [""])[0]
    if not _NUMBER.fullmatch(interval):
        raise InputError("syntax error")
    return AnalysisRequest(colour, int(interval))


def analysis_line(game: Game, thought: Thought, *, shares: bool = False) -> str:
    """All candidates on one line; win rates and priors in hundredths of a percent as Leela Zero writes them, or as shares, like KataGo."""

    def number(share: float) -> str:
        return f"{share:.6f}" if shares else str(round(10000 * share))

    parts = []
    for order, candidate in enumerate(thought.candidates):
        line = " ".join(game.action_name(action) for action in candidate.line)
        rate, prior = number(candidate.win_rate), number(candidate.prior)
        name = game.action_name(candidate.action)
        parts.append(f"info move {name} visits {candidate.visits} winrate {rate} prior {prior} lcb {rate} order {order} pv {line}")
    return " ".join(parts)
