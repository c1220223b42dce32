"""Texts: how they become tokens, and what apps do otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from toolkit.core import DataError, InputError, Manifest, Tokens
from toolkit.core.reading import read_file
from toolkit.pipeline.data._preparation import FILE, Preparation

from .base import Change, InputSteps, Kind

_UNKNOWN = -1


@dataclass(frozen=True, kw_only=True)
class TextSteps(InputSteps):
    """How a text becomes an input.

    Args:
        text: itself.
        tokens: how it is split, and their numbers.
        length: how many an input has.
        offset: what is added to each number.
        start: a number in front, or None.
        ahead: whether what fills up stands in front.
        last: whether the end of what is too long is taken.
        backwards: whether the last token stands first.
    """

    text: str
    tokens: Tokens
    length: int
    offset: int = 0
    start: int | None = None
    ahead: bool = False
    last: bool = False
    backwards: bool = False


class Texts(Kind[TextSteps]):
    """A text in a file."""

    name = "texts"
    tolerance = 1e-6
    takes = "a text (.txt)"

    def owns(self, file: Path) -> bool:
        """By its ending."""
        return file.suffix.lower() == ".txt"

    def right(self, file: Path, manifest: Manifest, preparation: Preparation) -> TextSteps:
        """As `toolkit convert` prepares texts."""
        tokens = preparation.text or (manifest.preprocessing.text if manifest.preprocessing else None)
        spec = manifest.signature.inputs[0]
        size = spec.shape[1] if len(spec.shape) == 2 else None
        length = size if isinstance(size, int) else tokens.length if tokens else None
        if tokens is None or length is None or len(manifest.signature.inputs) != 1:
            raise DataError(f"nothing says how '{file}' becomes {spec}", hint=f"say it in {FILE}: [text]")
        text = read_file(file).decode("utf-8", errors="replace").strip()
        try:
            tokens.encode(text)
        except InputError as error:
            raise DataError(f"'{file}': {error}") from error
        return TextSteps(spec=spec, text=text, tokens=tokens, length=length)

    def wanted(self, steps: TextSteps) -> str:
        """In words."""
        case = "in lower case" if steps.tokens.lower else "as they are written"
        return (
            f"texts are {case}, {steps.length} {steps.tokens.split} of {len(steps.tokens.tokens)}, filled up behind with {steps.tokens.pad}"
        )

    def array(self, steps: TextSteps) -> np.ndarray:
        """Step by step."""
        tokens = steps.tokens if steps.tokens.unknown is not None else replace(steps.tokens, unknown=_UNKNOWN)
        numbers = [number + steps.offset for number in tokens.encode(steps.text)]
        numbers = [*([] if steps.start is None else [steps.start]), *numbers]
        numbers = numbers[-steps.length :] if steps.last else numbers[: steps.length]
        numbers = numbers[::-1] if steps.backwards else numbers
        fill = [tokens.pad] * (steps.length - len(numbers))
        return np.array([*fill, *numbers] if steps.ahead else [*numbers, *fill], np.float64)

    def changes(self, steps: TextSteps) -> Iterator[Change]:
        """The usual ones."""
        tokens = steps.tokens
        for offset in (1, -1, 2, -2):
            yield Change(
                f"each token is {offset:+d} of its number", f"x = x - {offset}" if offset > 0 else f"x = x + {-offset}", {"offset": offset}
            )
        lower = "lower case" if tokens.lower else "as it is written"
        yield Change(
            f"the text is {'as it is written' if tokens.lower else 'in lower case'}: the network takes it {lower}",
            "text = text.lower()" if tokens.lower else "text",
            {"tokens": replace(tokens, lower=not tokens.lower)},
        )
        yield Change(
            "what fills up stands in front: the network takes it behind", f"x = numbers + [{tokens.pad}] * missing", {"ahead": True}
        )
        yield Change("the end of the text is taken: the network takes its beginning", f"numbers[:{steps.length}]", {"last": True})
        yield Change("the last token stands first", "x = x[::-1]", {"backwards": True})
        for pad in {0, 1, len(tokens.tokens), -1} - {tokens.pad}:
            yield Change(
                f"filled up with {pad}: the network takes {tokens.pad}", f"pad = {tokens.pad}", {"tokens": replace(tokens, pad=pad)}
            )
        for start in (0, 1, 2, 101):
            yield Change(f"a token {start} stands in front, which the network does not take", "x = x[1:]", {"start": start})
