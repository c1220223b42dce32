"""A session whose engine runs in a process of its own, so that a crash there is an error here.

Arrays lie in memory that both processes have mapped; two pipes carry a few bytes for each call, which also tell each side that the other
one has ended. Who waits on a pipe sleeps: on two cores a loop that looks would take one of them from the engine (docs/isolated.md).
"""

from __future__ import annotations

from .session import IsolatedSession, check_isolation, open_isolated

__all__ = ["IsolatedSession", "check_isolation", "open_isolated"]
