"""``toolkit go``: each of its commands is a file of this folder."""

from __future__ import annotations

import click

from .._commands import Commands


@click.group(cls=Commands, package=__name__, short_help="Play and learn Go through deployed nets.", no_args_is_help=True)
def command() -> None:
    """An AlphaGo-style net that plays, and learns by playing itself, through the deployed runtimes.

    \b
    toolkit go demo                                  two precisions play, live
    toolkit go play                                  play against the net
    toolkit go train --game go-5x5 --minutes 20      learn from nothing
    toolkit go strength                              what int8 costs, in Elo
    toolkit go match NET gnugo:10                    against another engine
    toolkit go gtp                                   for Go boards
    """
