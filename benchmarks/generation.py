"""What a cache gains where a language model goes on with a prompt, and whether it says the same: docs/streams.md.

python -m benchmarks.generation

The same decoder without a cache, which reads the whole text for each token, with a cache of fixed length and with one that grows, in each
format and engine: the tokens that each says, and how long that takes, by turns.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

import toolkit
from toolkit.core import Artifact, load_average, this_machine
from toolkit.core.statistics import Interval, bootstrap_ratio
from toolkit.pipeline.generate import timed
from toolkit.runtimes import Session, SessionOptions, open_session, runtimes_for

from .decoder import HEADS, LAYERS, LENGTH, SIZE, VOCABULARY, Decoder, Growing, Step
from .pages import write_measured

ROOT = Path(__file__).resolve().parents[1]
PROMPT, COUNT, ROUNDS = [3, 1, 4, 1, 5, 9, 2, 6], 248, 5
FORMATS = ("onnx", "openvino", "tflite")
_MARK = "<!-- measured: generation -->"
LAST = 16
"""The tokens at the end that tell how long one takes there."""


@dataclass(frozen=True)
class Row:
    """Of one artifact in one engine: tokens that are the same before the first other one, how much faster the text is, how much faster its
    last tokens are, and how many of those come in a second.
    """

    form: str
    artifact: str
    engine: str
    same: int
    text: Interval
    last: Interval
    tokens_per_s: float


@dataclass(frozen=True)
class Said:
    """Tokens, and the seconds that each took."""

    tokens: list[int]
    took_s: list[float]

    @property
    def last_s(self) -> float:
        """The median of the last tokens."""
        return statistics.median(self.took_s[-LAST:])


def converted(folder: Path) -> dict[str, toolkit.Bundle]:
    """The bundle of each form: the whole text in every format, a cache of fixed length too, one that grows where sizes may be free."""
    decoder = Decoder()
    random = np.random.default_rng(0)
    texts = random.integers(0, VOCABULARY, (24, LENGTH))
    data = {"tokens": texts}
    whole = toolkit.convert(
        decoder, ["tokens:int64[batch,time]"], to=FORMATS, precision=["fp32"], data=data, out=folder, batch_sizes=(1,), name="whole"
    )
    step, past, states = Step(decoder), torch.zeros(24, 2 * LAYERS, HEADS, LENGTH, SIZE), []
    with torch.no_grad():  # Samples as a stream meets them, each after another number of tokens.
        for position in range(96):
            answer = step(torch.from_numpy(texts[:, position]), torch.full((24,), position), past)
            if position % 4 == 3:
                states.append(past[position // 4].numpy())
            past = answer["present"]
    given = {
        "token": np.array([texts[row, 4 * row + 3] for row in range(24)]),
        "position": np.array([4 * row + 3 for row in range(24)]),
        "past": np.stack(states),
    }
    shape = f"float32[batch,{2 * LAYERS},{HEADS},{LENGTH},{SIZE}]"
    fixed = toolkit.convert(
        step,
        ["token:int64[batch]", "position:int64[batch]", f"past:{shape}"],
        to=FORMATS,
        precision=["fp32", "int8-weights"],
        data=given,
        out=folder,
        batch_sizes=(1,),
        name="fixed",
    )
    growing = toolkit.convert(
        Growing(decoder),
        ["tokens:int64[batch,time]", f"past:{shape.replace(str(LENGTH), 'before')}"],
        to=FORMATS[:2],
        precision=["fp32"],
        out=folder,
        name="growing",
    )
    return {"whole": whole, "fixed": fixed, "growing": growing}


def without_cache(session: Session) -> Iterator[int]:
    """What the network says where it reads the whole text for each token; filled up with zeros where its length is fixed."""
    tokens, (spec,) = list(PROMPT), session.signature.inputs
    for _ in range(COUNT):
        given = np.zeros((1, spec.shape[1] if isinstance(spec.shape[1], int) else len(tokens)), np.int64)
        given[0, : len(tokens)] = tokens
        tokens.append(int(session.run(given)["logits"][0, len(tokens) - 1].argmax()))
        yield tokens[-1]


def listened(tokens: Iterator[int]) -> Said:
    """All of them, timed."""
    said = list(timed(tokens))
    return Said([token for token, _ in said], [took_s for _, took_s in said])


def measure(form: str, artifact: Artifact, whole: Artifact, engine: str) -> Row:
    """A row: both say their tokens by turns."""
    options = SessionOptions(threads=1)
    found: dict[str, list[Said]] = {"plain": [], "cached": []}
    with open_session(whole, engine=engine, options=options) as plain, open_session(artifact, engine=engine, options=options) as cached:
        for number in range(ROUNDS + 1):
            for name in sorted(found, reverse=bool(number % 2)):
                said = listened(without_cache(plain) if name == "plain" else cached.stream().generate(PROMPT, COUNT))
                assert said.tokens == (found[name] or [said])[0].tokens, "the same prompt was answered otherwise"
                found[name].append(said)
    same = next((at for at, (one, two) in enumerate(zip(*(each[0].tokens for each in found.values()), strict=True)) if one != two), COUNT)
    slow, quick = (each[1:] for each in found.values())  # The first round warmed up.
    text = bootstrap_ratio([sum(each.took_s) for each in slow], [sum(each.took_s) for each in quick])
    last = bootstrap_ratio([each.last_s for each in slow], [each.last_s for each in quick])
    return Row(form, artifact.name, engine, same, text, last, 1 / statistics.median(each.last_s for each in quick))


def page(rows: list[Row]) -> str:
    """What docs/streams.md shows."""
    machine = this_machine()
    total = len(PROMPT) + COUNT
    lines = [
        f"| cache | artifact | engine | same tokens, of {COUNT} | times as fast: all {COUNT} | the last, at {total} | tokens/s there |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {row.form} | {row.artifact} | {row.engine} | {row.same} "
        f"| {_interval(row.text)} | {_interval(row.last)} | {row.tokens_per_s:,.0f} |"
        for row in rows
    ]
    where = f"{machine.cpu}, one thread of {machine.threads}, {', '.join(machine.instruction_sets)}"
    return "\n".join(
        [*lines, "", f"{datetime.now(UTC):%Y-%m-%d}, {where}, load {load_average():.1f} at the end. {ROUNDS} rounds by turns."]
    )


def _interval(ratio: Interval) -> str:
    return f"{ratio.value:.1f} [{ratio.low:.1f}, {ratio.high:.1f}]"


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "streams.md", help="the page whose table is written anew")
    options = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        bundles = converted(Path(folder))
        for form in ("fixed", "growing"):
            for artifact in bundles[form]:
                format = artifact.manifest.format
                if format not in FORMATS:
                    continue
                whole = bundles["whole"].artifact(f"{format}-fp32")
                for runtime in [each for each in runtimes_for(format, artifact.manifest.precision) if each.in_process][:1]:
                    rows.append(measure(form, artifact, whole, runtime.name))
                    print(rows[-1], file=sys.stderr, flush=True)
    write_measured(options.out, _MARK, page(rows))


if __name__ == "__main__":
    main()
