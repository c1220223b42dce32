"""How strong the net of a learning run becomes: now and then it plays the one that was rated last, and the results make an Elo curve."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.core import InputError, Interval, new_folder
from toolkit.models.alphago.arena.elo import ratings
from toolkit.models.alphago.arena.match import play_match
from toolkit.models.alphago.arena.openings import random_openings
from toolkit.models.alphago.checkpoint import Generation, Rated
from toolkit.models.alphago.games import Game

from .players import net_player

_PLIES = 4


@dataclass(frozen=True)
class RatingOptions:
    """Every ``every`` generations, beginning with the first, the net plays ``games`` games at ``playouts`` a move; never with 0."""

    every: int = 4
    games: int = 64
    playouts: int = 64

    def __post_init__(self) -> None:
        if self.every < 0 or self.games < 2 or self.games % 2 or self.playouts < 1:
            raise InputError("rating", expected="an even number of games, at least one playout", got=str(self))


class Rating:
    """The nets of a run that were rated, each kept in a folder of its own in `folder`, to be played against.

    Matches are independent of self-play: no noise, random openings, each played with both colours.
    """

    def __init__(self, game: Game, options: RatingOptions, *, folder: Path, seed: int) -> None:
        self._game, self._options, self._folder, self._seed = game, options, folder, seed

    def due(self, generation: int) -> bool:
        """Whether the net of this generation is to be rated."""
        every = self._options.every
        return every > 0 and (generation - 1) % every == 0

    def rate(self, net: Path, generation: int, earlier: Sequence[Generation]) -> Rated | None:
        """Keep the artifact `net` of this generation, and let it play the one rated last.

        Returns:
            The result and the Elo against the first net of the run, from all matches until now (see `ratings`); None for the first
            net, and where a game has too few different openings.
        """
        kept = self._keep(net, generation)
        before = [one.generation for one in earlier if self._path(one.generation).is_dir()]
        if not before:
            return None
        options, seed = self._options, self._seed + generation
        try:
            openings = random_openings(self._game, count=options.games // 2, plies=_PLIES, seed=seed)
        except InputError:
            return None
        one, other = (net_player(path, playouts=options.playouts) for path in (kept, self._path(before[-1])))
        match = play_match(self._game, one, other, games=options.games, openings=openings, seed=seed, parallel=options.games)
        lost, drawn, won = match.lost_drawn_won
        found = {_names(g.generation, g.rated.against): (g.rated.lost, g.rated.drawn, g.rated.won) for g in earlier if g.rated is not None}
        found[_names(generation, before[-1])] = (lost, drawn, won)
        # The first net that was rated: earlier ones may have been played with other options.
        anchor = min(int(name) for pair in found for name in pair)
        elo = next(r.elo for r in ratings(found, anchor=str(anchor)) if r.name == str(generation))
        return Rated(before[-1], lost, drawn, won, Interval(elo.value, elo.low, elo.high))

    def _path(self, generation: int) -> Path:
        return self._folder / f"generation-{generation:04}"

    def _keep(self, net: Path, generation: int) -> Path:
        with new_folder(self._path(generation)) as folder:
            shutil.copytree(net, folder, dirs_exist_ok=True)
        return self._path(generation)


def _names(generation: int, against: int) -> tuple[str, str]:
    return str(generation), str(against)
