"""``lz-analyze`` and its like: what a search thinks while it thinks, in the text that boards such as Sabaki and Lizzie read."""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.core import InputError

from ..brain import Thought
from ..games import Game
from .protocol import COLOURS, Command


@dataclass(frozen=True)
class AnalysisRequest:
    """Whose move is asked for, None for whose turn it is, and centiseconds between lines, which is a wish."""

    colour: int | None = None
    interval_cs: int = 100


def parse_analysis(command: Command) -> AnalysisRequest:
    """The arguments of ``lz-analyze [colour] [interval N | N]``; raises `InputError`."""
    words = [word.lower() for word in command.arguments if word.lower() != "interval"]
    colour = COLOURS.get(words[0]) if words else None
    numbers = words[1:] if colour is not None else words
    if any(not word.isdigit() for word in numbers) or len(numbers) > 1:
        raise InputError("syntax error")
    return AnalysisRequest(colour, int(numbers[0]) if numbers else 100)


def analysis_line(game: Game, thought: Thought) -> str:
    """All candidates on one line; win rates and priors in hundredths of a percent, as Leela Zero writes them."""
    parts = []
    for order, candidate in enumerate(thought.candidates):
        line = " ".join(game.action_name(action) for action in candidate.line)
        rate = round(10000 * candidate.win_rate)
        prior = round(10000 * candidate.prior)
        name = game.action_name(candidate.action)
        parts.append(f"info move {name} visits {candidate.visits} winrate {rate} prior {prior} lcb {rate} order {order} pv {line}")
    return " ".join(parts)
