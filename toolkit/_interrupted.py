"""What Ctrl-C and SIGTERM are answered with, wherever they come: a module of its own, because it is known before anything else is
imported.
"""

from __future__ import annotations

import signal

LOADING = "interrupted while the command was loading, before any work: rerun it"
NOTHING = "interrupted; nothing to resume: the same command starts anew"
RESUMES = "interrupted; what was complete is kept. Rerun the same command to resume"


ANSWERED = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
"""The signals that end a command in order, and what Python does with each unless somebody has changed it."""

_came = [signal.SIGINT]


def stop(signum: int) -> None:
    """Raise KeyboardInterrupt for one of the signals `ANSWERED`, which `exit_code` then knows."""
    _came.append(signal.Signals(signum))
    raise KeyboardInterrupt


def exit_code() -> int:
    """128 and the number of the signal that came, as shells count: 130 for Ctrl-C, 143 for SIGTERM."""
    # Python notes a KeyboardInterrupt that leaves a text which is executed, such as the methods of a dataclass that is being made, and ends
    # `python -m` by SIGINT though it was caught; the next text that is executed makes it forget that.
    exec("")  # noqa: S102 - a constant
    return 128 + _came[-1]


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM in a command that knows how it resumes, which is its text."""


def answer(error: BaseException) -> str:
    """What is said of an interruption: what its command says, or that there is nothing to resume."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, Interrupted):
        cause = cause.__cause__
    return str(cause or NOTHING)
