"""Tree search over many games at once: PUCT, Gumbel's choice at the root, and plain UCT. It asks only an `Evaluator`."""

from __future__ import annotations

from .cache import CachedEvaluator
from .choice import choose
from .evaluator import Evaluator, UniformEvaluator
from .gumbel import GumbelSearch
from .options import GumbelOptions, SearchOptions
from .puct import Search, SearchResult
from .uct import UctSearch

__all__ = [
    "CachedEvaluator",
    "Evaluator",
    "GumbelOptions",
    "GumbelSearch",
    "Search",
    "SearchOptions",
    "SearchResult",
    "UctSearch",
    "UniformEvaluator",
    "choose",
]
