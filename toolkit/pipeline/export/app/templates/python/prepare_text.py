"""How a text becomes the input: the numbers of its pieces."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

SUFFIXES = (".txt",)
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[!?]")


def prepare(file: Path, about: dict[str, Any]) -> np.ndarray:
    """The input ``[1, length]`` of a text in UTF-8; raises ValueError and OSError."""
    try:
        text = file.read_bytes().decode().strip()
    except UnicodeDecodeError as error:
        raise ValueError(f"'{file}' is no text in UTF-8: {error}") from error
    return np.array([encode(text, about)], about["dtype"])


def encode(text: str, about: dict[str, Any]) -> list[int]:
    """The numbers of a text, cut and filled up to the input's length."""
    numbers = {token: number for number, token in enumerate(about["tokens"], about["first"])}
    text = text.lower() if about["lower"] else text
    pieces = list(text) if about["split"] == "characters" else text.split() if about["split"] == "words" else _words(text)
    found = [numbers.get(piece, about["unknown"]) for piece in pieces]
    if None in found:
        raise ValueError(f"'{pieces[found.index(None)]}' is none of the {len(numbers)} tokens")
    if not found and about["split"] == "vocabulary":
        raise ValueError("the text has no words")
    length = about["length"]
    return [number for number in found if number is not None][:length] + [about["pad"]] * (length - len(found))


def _words(text: str) -> list[str]:
    return [word.replace("’", "'") for word in _WORD.findall(text)]
