"""What a preparation inside the file costs a call: docs/embed.md.

python -m benchmarks.embed

A network that is hardly any work, into 8 x 8 and 224 x 224, behind Pillow and with the preparation inside, in each format, by turns.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import toolkit
from toolkit.core import load_average, this_machine
from toolkit.core.statistics import Interval, bootstrap_ratio
from toolkit.pipeline.data._preparation import PictureInput, Preparation, picture_input
from toolkit.runtimes import Session, open_session

from .pages import write_measured

ROOT = Path(__file__).resolve().parents[1]
INPUTS, PICTURES, ROUNDS, CALLS = (8, 224), ((240, 320), (480, 640), (1080, 1920)), 7, 5
FORMATS = ("onnx", "openvino", "tflite")
_MARK = "<!-- measured: embed -->"


class Mean(torch.nn.Module):
    """The mean of each channel: a network that is nearly no work."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """``[B, 3, S, S] -> [B, 3]``."""
        return image.mean((2, 3))


@dataclass(frozen=True)
class Row:
    """Milliseconds of a call, and how much longer the file with the preparation takes."""

    side: int
    picture: tuple[int, int]
    artifact: str
    before_ms: float
    after_ms: float
    ratio: Interval


def measure(side: int, folder: Path) -> list[Row]:
    """Every format and size of a picture, for an input of this side."""
    random = np.random.default_rng(0)
    data = {"image": random.random((40, 3, side, side)).astype(np.float32)}
    bundle = toolkit.convert(
        Mean(),
        [f"image:float32[batch,3,{side},{side}]"],
        to=FORMATS,
        precision=["fp32"],
        data=data,
        batch_sizes=(1,),
        out=folder,
        name=f"mean{side}",
    )
    toolkit.embed(bundle, evaluation=8)
    rows = []
    for format in FORMATS:
        before, after = bundle.path / f"{format}-fp32", Path(f"{bundle.path}-embedded") / f"{format}-fp32"
        with open_session(before) as plain, open_session(after) as embedded:
            own = picture_input(plain.signature, Preparation(), None, fit="stretch")
            for size in PICTURES:
                picture = random.integers(0, 256, (*size, 3), dtype=np.uint8)
                rows.append(_row((side, size, format), picture, own, plain, embedded))
    return rows


def _row(of: tuple[int, tuple[int, int], str], picture: np.ndarray, own: PictureInput, plain: Session, embedded: Session) -> Row:
    def before() -> np.ndarray:
        return plain.run(own.array(Image.fromarray(picture))[None])[0]

    def after() -> np.ndarray:
        return embedded.run(picture[None])[0]

    assert np.abs(before() - after()).max() < 1e-5, of
    took: tuple[list[float], list[float]] = ([], [])
    for turn in range(2 * ROUNDS):
        place = (turn + turn // 2) % 2
        call = (before, after)[place]
        start = time.perf_counter()
        for _ in range(CALLS):
            call()
        took[place].append((time.perf_counter() - start) / CALLS * 1e3)
    return Row(*of, statistics.median(took[0]), statistics.median(took[1]), bootstrap_ratio(took[1], took[0]))


def page(rows: list[Row]) -> str:
    """What docs/embed.md shows."""
    machine = this_machine()
    lines = [
        "| input | picture | format | Pillow and file, ms | file alone, ms | times as long |",
        "| --- | --- | --- | ---: | ---: | ---: |",
    ]
    for row in rows:
        ratio = f"{row.ratio.value:.2f} [{row.ratio.low:.2f}, {row.ratio.high:.2f}]"
        sizes = f"{row.side} x {row.side} | {row.picture[0]} x {row.picture[1]}"
        lines.append(f"| {sizes} | {row.artifact} | {row.before_ms:.2f} | {row.after_ms:.2f} | {ratio} |")
    where = f"{machine.cpu}, {machine.threads} threads, {', '.join(machine.instruction_sets)}"
    told = f"{datetime.now(UTC):%Y-%m-%d}, {where}, load {load_average():.1f} at the end. {ROUNDS} rounds of {CALLS} calls by turns."
    return "\n".join([*lines, "", told])


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "embed.md", help="the page whose table is written anew")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [row for side in INPUTS for row in measure(side, Path(folder))]
    write_measured(options.out, _MARK, page(rows))


if __name__ == "__main__":
    main()
