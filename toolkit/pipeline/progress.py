"""How a long piece of work says where it is."""

from __future__ import annotations

from collections.abc import Callable

OnEvent = Callable[[str, str], None]
"""Called with the name of a target, and with what happens to it."""

OnCount = Callable[[str, int, int], None]
"""Called with what is done, how much of it is finished, and how much there is."""
