"""A picture's preparation inside the model file: one file a format."""

from __future__ import annotations

from toolkit.core import Format, InputError, discover

from .base import GIVEN, Embedder, Picture

__all__ = ["GIVEN", "Embedder", "Picture", "all_embedders", "find_embedder"]


def all_embedders() -> tuple[Embedder, ...]:
    """One for each format whose files can take it."""
    return discover(__name__, Embedder)


def find_embedder(format: Format) -> Embedder:
    """That of a format; raises `InputError`."""
    found = {embedder.format: embedder for embedder in all_embedders()}
    if format not in found:
        raise InputError(f"{format} takes no preparation inside its file", expected=f"one of {', '.join(sorted(found))}")
    return found[format]
