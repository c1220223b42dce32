"""What Ctrl-C is answered with, wherever it comes: a module of its own, because it is known before anything else is imported."""

from __future__ import annotations

LOADING = "interrupted while the command was loading, before any work: rerun it"
NOTHING = "interrupted; nothing to resume: the same command starts anew"
RESUMES = "interrupted; what was complete is kept. Rerun the same command to resume"


class Interrupted(KeyboardInterrupt):
    """Ctrl-C in a command that knows how it resumes, which is its text."""


def answer(error: BaseException) -> str:
    """What is said of an interruption: what its command says, or that there is nothing to resume."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, Interrupted):
        cause = cause.__cause__
    return str(cause or NOTHING)
