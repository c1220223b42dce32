"""Text from a language model with a memory: a prompt as its tokens, and what it says as text while it says it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.core import MANIFEST, Artifact, Bundle, DataError, InputError, Tokens, first_line, needs, read_file
from toolkit.runtimes.base import Actual

from .load import load

_HALF = "\N{REPLACEMENT CHARACTER}"
"""What a decoder gives for bytes that are not yet a whole character."""


class Numbers:
    """Token numbers as they are, with blanks between."""

    def encode(self, text: str) -> list[int]:
        """The numbers of a text such as ``12 7 301``."""
        words = text.split()
        if not words or not all(word.isdecimal() for word in words):
            hint = "give a tokenizer, --tokenizer tokenizer.json, or convert with a prepare.toml whose [text] has the tokens"
            raise InputError("prompt", expected="token numbers, such as '12 7 301': the model says of no tokens", got=repr(text), hint=hint)
        return [int(word) for word in words]

    def decode(self, numbers: Sequence[int]) -> str:
        """The numbers, each after a blank."""
        return "".join(f" {number}" for number in numbers)


class HuggingFace:
    """A ``tokenizer.json`` as Hugging Face's library reads it."""

    def __init__(self, file: Path) -> None:
        with needs("text"):
            from tokenizers import Tokenizer as Reader
        try:
            content = read_file(file).decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"'{file}' cannot be read: {first_line(error)}", expected="a tokenizer.json") from error
        try:
            self._reader = Reader.from_str(content)
        except Exception as error:
            raise DataError(f"'{file}' is no tokenizer: {first_line(error)}", expected="a tokenizer.json as Hugging Face writes") from error

    def encode(self, text: str) -> list[int]:
        """The numbers of a text, with those that the tokenizer puts around it."""
        return list(self._reader.encode(text).ids)

    def decode(self, numbers: Sequence[int]) -> str:
        """The text of some numbers, without special tokens."""
        return str(self._reader.decode(list(numbers)))


@dataclass(frozen=True)
class Generated:
    """What a language model said.

    Attributes:
        text: what came behind the prompt.
        tokens: its numbers.
        prompt: the numbers of the prompt.
        first_s: seconds from the prompt to the first token.
        tokens_per_s: of those after the first; 0 where there are none.
        actual: what the engine gave.
    """

    text: str
    tokens: tuple[int, ...]
    prompt: tuple[int, ...]
    first_s: float
    tokens_per_s: float
    actual: Actual


def generate(
    model: str | Path,
    prompt: str,
    *,
    count: int = 100,
    temperature: float = 0.0,
    top_k: int = 0,
    seed: int = 0,
    stop: Collection[int] = (),
    tokenizer: Path | None = None,
    states: Mapping[str, str] | None = None,
    engine: str | None = None,
    device: str = "cpu",
    threads: int | None = None,
    on_text: Callable[[str], None] | None = None,
) -> Generated:
    """Let a language model go on with a prompt, as ``toolkit generate``; the engine runs in a process of its own, but on Windows.

    Args:
        model: as `load` takes it: it takes tokens and states, and gives scores of the next token and the states' next values.
        prompt: a text, or token numbers with blanks between where nothing says what its tokens are.
        count: how many tokens come at most.
        temperature: divides the scores; 0 takes the likeliest token.
        top_k: only so many of the likeliest are drawn from; 0 for all.
        seed: the same one draws the same tokens.
        stop: token numbers that end it.
        tokenizer: a ``tokenizer.json``; by default the tokens of the model's manifest.
        states: by input the output that is its next value, where neither the manifest nor the names say it.
        engine: as `load` takes it.
        device: as `load` takes it.
        threads: as `load` takes it.
        on_text: called with each piece of text as it comes.

    Raises:
        ToolkitError: as `load` and `Stream.generate`; a prompt that is no text of the model's tokens, a damaged tokenizer.
    """
    coder = HuggingFace(tokenizer) if tokenizer else _own(Path(model)) or Numbers()
    given = coder.encode(prompt)
    if not given:
        raise InputError("prompt", expected="a text of at least one token", got=repr(prompt))
    tokens: list[int] = []
    times: list[float] = []
    shown = ""

    def show(text: str) -> str:
        if on_text and len(text) > len(shown) and text.startswith(shown):
            on_text(text[len(shown) :])
            return text
        return shown

    with load(model, engine=engine, device=device, threads=threads, isolated=os.name == "posix") as session:
        said = session.stream(states=states).generate(given, count, temperature=temperature, top_k=top_k, seed=seed, stop=stop)
        for token, took_s in timed(said):
            times.append(took_s)
            tokens.append(token)
            text = coder.decode(tokens)
            shown = shown if text.endswith(_HALF) else show(text)
        actual = session.actual
    text = coder.decode(tokens)
    show(text)
    rate = (len(times) - 1) / sum(times[1:]) if len(times) > 1 else 0.0
    return Generated(text, tuple(tokens), tuple(given), times[0] if times else 0.0, rate, actual)


def timed(tokens: Iterator[int]) -> Iterator[tuple[int, float]]:
    """Each token with the seconds that it took to come, without what is done with it."""
    while True:
        start = time.perf_counter()
        token = next(tokens, None)
        if token is None:
            return
        yield token, time.perf_counter() - start


def _own(model: Path) -> Tokens | None:
    """The tokens that the manifest of an artifact or of a bundle's first one says."""
    if not model.is_dir():
        return None
    found = [Artifact.load(model)] if (model / MANIFEST).is_file() else list(Bundle(model))
    preparation = found[0].manifest.preprocessing if found else None
    return preparation.text if preparation else None
