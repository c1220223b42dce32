"""What a manifest's recipe says of the files that were tried for one, and how that is read."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from toolkit.core import Scalar

_IN_FLOAT, _SHARE, _FILES, _SECONDS = "in_float", "in_integers", "tried_files", "tried_seconds"
SEPARATOR = "; "
"""Between the names of operations in a recipe."""


def tried(in_float: Collection[str], files: int, seconds: float, share: float | None = None) -> dict[str, Scalar]:
    """The record of `files` that took so many `seconds`, with the operations that stayed in float32 and the `share` of all multiply-adds
    that is left to integers.
    """
    kept: dict[str, Scalar] = {_IN_FLOAT: SEPARATOR.join(sorted(in_float))} if in_float else {}
    kept |= {} if share is None else {_SHARE: round(share, 4)}
    return {**kept, _FILES: files, _SECONDS: round(seconds, 1)}


def was_tried(recipe: Mapping[str, Scalar]) -> bool:
    """Whether files were tried for one with this recipe."""
    return _FILES in recipe


def tried_words(recipe: Mapping[str, Scalar], choices: Collection[str]) -> str:
    """What was tried, what that cost, which of the `choices` were made and how much stayed in float; nothing where nothing was tried."""
    if not was_tried(recipe):
        return ""
    cost = f"{recipe[_FILES]} {'file' if recipe[_FILES] == 1 else 'files'} tried"
    # Files made by earlier versions do not always say how long that took.
    cost += f" in {recipe[_SECONDS]} s" if _SECONDS in recipe else ""
    made = [f"{name} = {value}".lower() for name, value in recipe.items() if name in choices]
    kept = str(recipe.get(_IN_FLOAT, ""))
    count = kept.count(SEPARATOR) + 1 if kept else 0
    made += [f"{count} {'operation' if count == 1 else 'operations'} in float"] if count else []
    made += [f"{100 * float(recipe[_SHARE]):.3g} % of the multiply-adds in integers"] if _SHARE in recipe else []
    return "; ".join([cost, ", ".join(made)] if made else [cost])
