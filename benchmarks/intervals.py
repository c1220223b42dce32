"""How often the 95 % interval of what a candidate loses holds the truth: ``python -m benchmarks.intervals`` writes docs/intervals.md.

For each metric there is a population of samples with a reference and a candidate that is worse on a share of them. Data sets are drawn
from it again and again; the truth is the difference on a draw of many thousand samples. Reference and candidate are paired and correlated:
where the candidate is not worse, both are right or wrong alike.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from toolkit.core import this_machine, wilson, write_file
from toolkit.tasks import Metric, Scorer, find_metric, mean_of, paired_loss
from toolkit.tasks._counts import mean_ratio, ratio_of_sums
from toolkit.tasks.detection import MeanPrecision, Ranked

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = (50, 200, 1000)
SHARES = (0.05, 0.3)
"""Of samples on which the candidate is another than the reference."""
POPULATION = 200_000
WANTED = (0.93, 0.97)

Draw = Callable[[np.random.Generator, int, float], tuple[Scorer, Scorer]]
"""Reference and candidate on so many samples, of which such a share differs."""


@dataclass(frozen=True)
class Coverage:
    """How often intervals held the truth.

    Args:
        metric: its name.
        samples: in each data set.
        share: of samples that differ.
        sets: how many data sets were drawn.
        truth: what the candidate loses, in points.
        held: the share of intervals that hold it.
        below: the share of intervals that end below it.
        width: the median width of the intervals, in points.
    """

    metric: str
    samples: int
    share: float
    sets: int
    truth: float
    held: float
    below: float
    width: float

    @property
    def passes(self) -> bool:
        """Whether the share may well be one from 93 to 97 %, by its own 95 % interval."""
        found = wilson(round(self.held * self.sets), self.sets)
        return found.low <= WANTED[1] and found.high >= WANTED[0]


def accuracy(random: np.random.Generator, count: int, share: float) -> tuple[Scorer, Scorer]:
    """Three quarters are right; where the candidate differs it is right in a third."""
    right = random.random(count) < 0.75
    still = np.where(random.random(count) < share, random.random(count) < 1 / 3, right)
    return mean_of(right), mean_of(still)


def auc(random: np.random.Generator, count: int, share: float) -> tuple[Scorer, Scorer]:
    """Normal scores a deviation and a half apart; where the candidate differs there is noise of a deviation and a half."""
    label = (random.random(count) < 0.4).astype(np.int64)
    scores = random.normal(1.5 * label, 1)
    noisy = scores + np.where(random.random(count) < share, random.normal(0, 1.5, count), 0)
    score = find_metric("auc")[1].score
    return score(scores, label), score(noisy, label)


def miou(random: np.random.Generator, count: int, share: float) -> tuple[Scorer, Scorer]:
    """Four classes in pictures of 10,000 pixels; where the candidate differs it misses up to half of what the reference finds."""
    actual = np.floor(10_000 * random.dirichlet([4, 2, 1, 0.5], count))
    found = np.floor(actual * random.beta(6, 2, (count, 4)))
    spurious = np.floor(actual.mean() * 0.1 * random.gamma(1, 1, (count, 4)))
    differs = (random.random(count) < share)[:, None]
    still = np.where(differs, np.floor(found * random.uniform(0.5, 1, (count, 4))), found)
    return mean_ratio(found, actual + spurious), mean_ratio(still, actual + spurious)


def wer(random: np.random.Generator, count: int, share: float) -> tuple[Scorer, Scorer]:
    """Five to thirty words; where the candidate differs it has errors in a fifth of those that were right."""
    words = random.integers(5, 31, count)
    wrong = random.binomial(words, random.beta(1, 8, count))
    more = np.where(random.random(count) < share, random.binomial(words - wrong, 0.2), 0)
    return ratio_of_sums(wrong, words), ratio_of_sums(wrong + more, words)


def map50(random: np.random.Generator, count: int, share: float) -> tuple[Scorer, Scorer]:
    """Three classes; where the candidate differs it loses four tenths of the boxes and finds others that are none."""
    differs = random.random(count) < share
    ease = random.beta(6, 3, count)
    reference: list[Ranked] = []
    candidate: list[Ranked] = []
    for _ in range(3):
        actual = random.poisson(1.2, count)
        image = np.repeat(np.arange(count), actual)
        found = image[random.random(len(image)) < ease[image]]
        extra = np.repeat(np.arange(count), random.poisson(0.8, count))
        wrong = np.repeat(np.arange(count), np.where(differs, random.poisson(0.6, count), 0))
        images = np.concatenate([found, extra, wrong])
        right = np.arange(len(images)) < len(found)
        score = np.where(right, random.beta(4, 2, len(images)), random.beta(2, 4, len(images)))
        in_reference = np.arange(len(images)) < len(found) + len(extra)
        in_candidate = ~(right & differs[images] & (random.random(len(images)) < 0.4))
        for chosen, classes in ((in_reference, reference), (in_candidate, candidate)):
            order = np.argsort(-score[chosen], kind="stable")
            classes.append(Ranked(images[chosen][order], right[chosen][order][None], actual.astype(np.float64)))
    return MeanPrecision(count, tuple(reference)), MeanPrecision(count, tuple(candidate))


WORLDS: dict[str, tuple[Draw, Metric]] = {
    "accuracy": (accuracy, find_metric("accuracy")[1]),
    "map50": (map50, find_metric("map50")[1]),
    "miou": (miou, find_metric("miou")[1]),
    "wer": (wer, find_metric("wer")[1]),
    "auc": (auc, find_metric("auc")[1]),
}


def coverage(name: str, *, samples: int, share: float, sets: int, resamples: int) -> Coverage:
    """How often the interval of the metric `name` holds the truth on data sets of so many samples."""
    draw, metric = WORLDS[name]
    sign = 100 if metric.higher_is_better else -100
    reference, candidate = draw(np.random.default_rng(1), POPULATION, share)
    truth = sign * (reference.value - candidate.value)
    drops = []
    for seed in range(sets):
        pair = draw(np.random.default_rng([2, samples, seed]), samples, share)
        drops.append(paired_loss(metric, *pair, resamples=resamples, seed=seed).drop)
    low, high = np.array([drop.low for drop in drops]), np.array([drop.high for drop in drops])
    held, below = float(((low <= truth) & (truth <= high)).mean()), float((high < truth).mean())
    return Coverage(name, samples, share, sets, truth, held, below, float(np.median(high - low)))


def report(rows: Sequence[Coverage], *, resamples: int, seconds: float) -> str:
    """The page."""
    inside = sum(row.passes for row in rows)
    more = sum(not row.passes and row.held > WANTED[1] for row in rows)
    where = f"in {math.ceil(seconds / 60)} min on {this_machine().cpu}"
    lines = [
        "# Do the intervals hold the truth?",
        "",
        "What a candidate loses of a metric has a paired 95 % interval ([tasks](tasks.md#the-interval)). Here data sets are drawn from",
        f"populations whose truth is known, and the intervals that hold it are counted, of {resamples} resamples each. Wanted: 93 to 97 %.",
        "*Differ* is the share of samples on which the candidate is another than the reference; *too low* are the intervals that end below",
        f"the truth: a loss that they do not see. Of {len(rows)} rows {inside} are within what so many data sets can tell from 93 to 97 %,",
        f"{more} hold the truth more often, where few samples differ, and {len(rows) - inside - more} less often.",
        f"Made by `python -m benchmarks.intervals` {where}.",
        "",
        "| metric | samples | differ | data sets | true loss | holds it | too low | median width | 93 to 97 % |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for row in rows:
        answer = "yes" if row.passes else "more" if row.held > WANTED[1] else "less"
        figures = f"{row.truth:.2f} points | {row.held:.1%} | {row.below:.1%} | {row.width:.2f} points"
        lines.append(f"| {row.metric} | {row.samples} | {row.share:.0%} | {row.sets} | {figures} | {answer} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=1000)
    parser.add_argument("--resamples", type=int, default=400)
    parser.add_argument("--samples", type=int, action="append")
    parser.add_argument("--metric", choices=list(WORLDS), action="append")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "intervals.md")
    options = parser.parse_args()
    start, rows = time.monotonic(), []
    for name in options.metric or WORLDS:
        for samples in options.samples or SAMPLES:
            for share in SHARES:
                sets = options.sets if samples < 1000 else options.sets // 4
                rows.append(coverage(name, samples=samples, share=share, sets=sets, resamples=options.resamples))
                print(rows[-1], flush=True)
    seconds = time.monotonic() - start
    write_file(options.out, report(rows, resamples=options.resamples, seconds=seconds))
    content = {"resamples": options.resamples, "rows": [asdict(row) for row in rows]}
    write_file(options.out.with_suffix(".json"), json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
