"""Players by name: random, UCT, a GTP engine, or a deployed net."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import numpy as np

from toolkit.core import MANIFEST, Artifact, InputError, available_threads
from toolkit.models.alphago.arena.gtp_player import GtpPlayer
from toolkit.models.alphago.arena.players import Player, RandomPlayer, SearchPlayer
from toolkit.models.alphago.games import Game
from toolkit.models.alphago.search import CachedEvaluator, Search, SearchOptions, UctSearch

from .evaluator import as_learned, open_net

KINDS = "random, uct:PLAYOUTS, gnugo:LEVEL, gtp:COMMAND, or a net's folder with @PLAYOUTS"
_GNUGO = "--mode gtp --level {} --chinese-rules --positional-superko --capture-all-dead --never-resign"
_CACHE = 1 << 17


def make_player(text: str, *, playouts: int, engine: str | None = None) -> Player:
    """The player that `text` names: see `KINDS`; a net without a number of its own thinks `playouts`.

    Raises:
        InputError: no such kind, or a program that is not installed.
    """
    kind, _, rest = text.partition(":")
    if text == "random":
        return RandomPlayer()
    if kind == "uct":
        count = _number(rest, text)
        return SearchPlayer(text, lambda game, games, seed: UctSearch(game, games, max_playouts=count, seed=seed), playouts=count)
    if kind == "gnugo":
        return GtpPlayer([_program("gnugo"), *_GNUGO.format(_number(rest, text, least=0)).split()], name=f"gnugo level {rest}")
    if kind == "gtp" and rest:
        return GtpPlayer(shlex.split(rest))
    folder, _, own = text.partition("@")
    if is_net(folder):
        return net_player(Path(folder), playouts=_number(own, text) if own else playouts, engine=engine)
    raise InputError(f"no player '{text}'", expected=KINDS, got=text)


def is_net(text: str) -> bool:
    """Whether a text, with or without playouts, names a folder that could hold a net."""
    return Path(text.partition("@")[0]).is_dir()


def net_player(path: Path, *, playouts: int, engine: str | None = None) -> SearchPlayer:
    """A deployed net with PUCT, without noise."""

    def search(game: Game, games: int, seed: int) -> Search:
        evaluator = CachedEvaluator(open_net(path, game, engine=engine, threads=available_threads()), _CACHE)
        return Search(as_learned(path, game), evaluator, games, SearchOptions(), max_playouts=playouts, seed=seed)

    return SearchPlayer(f"{label(path)}@{playouts}", search, playouts=playouts)


def label(path: Path) -> str:
    """A short name: the artifact's, or the bundle's folder."""
    return Artifact.load(path, verify=False).name if (path / MANIFEST).is_file() else path.name


def seconds_a_playout(path: Path, game: Game, *, engine: str | None = None, rows: int = 32, playouts: int = 64) -> float:
    """Wall-clock seconds of one playout of a net in a batch of games, the second of two runs."""
    import time

    search = Search(
        game, open_net(path, game, engine=engine, threads=available_threads()), rows, SearchOptions(), max_playouts=playouts, seed=0
    )
    states, every = game.new(rows), np.arange(rows)
    for row in every:
        game.play(states, every[[row]], np.array([row % (game.actions - 1)]))
    elapsed = 0.0
    for _ in range(2):
        search.reset(every)
        start = time.perf_counter()
        search.run(states, every, np.full(rows, playouts, np.int32))
        elapsed = time.perf_counter() - start
    return elapsed / (rows * playouts)


def _number(text: str, whole: str, *, least: int = 1) -> int:
    if not text.isdigit() or int(text) < least:
        raise InputError(f"no player '{whole}'", expected=KINDS, got=whole)
    return int(text)


def _program(name: str) -> str:
    # Debian puts games into a folder that is not on every PATH.
    found = shutil.which(name) or shutil.which(name, path="/usr/games:/usr/local/games")
    if found is None:
        raise InputError(f"'{name}' is not installed", expected="the program on the PATH", hint=f"on Debian: apt install {name}")
    return found
