"""The full recipes with their quality bars: ``make train-all`` writes docs/training.md and its JSON from it.

    python benchmarks/train_all.py --out artifacts/train-all

A run that was done is not done again, and one that was interrupted goes on from its last epoch.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.core import this_machine, write_file

ROOT = Path(__file__).resolve().parents[1]
FASHION, MNIST, REVIEWS = "fashion-mnist", "mnist", "movie-reviews"
_HELD_OUT = "Bag"


@dataclass(frozen=True)
class Case:
    """``words`` after ``toolkit train``; ``bar`` is the least accuracy."""

    model: str
    data: str
    bar: float | None = None
    more: tuple[str, ...] = ()


CASES = (
    Case("perceptron", FASHION, 0.83),
    Case("mlp", FASHION, 0.88),
    Case("cnn", FASHION, 0.91),
    Case("lenet", FASHION),
    Case("text-cnn", REVIEWS, 0.75),
    Case("attention-lstm", REVIEWS, 0.75),
    Case("dbn", MNIST, 0.975),
    Case("rbm", MNIST),
    Case("lstm", FASHION, 0.88),
    Case("gru", FASHION, 0.88),
    Case("transformer", FASHION, 0.88),
    Case("autoencoder", FASHION, None, ("--hold-out", _HELD_OUT)),
    Case("denoising-autoencoder", FASHION, None, ("--hold-out", _HELD_OUT)),
    Case("sparse-autoencoder", FASHION, None, ("--hold-out", _HELD_OUT)),
    Case("variational-autoencoder", FASHION, None, ("--hold-out", _HELD_OUT)),
    Case("sparse-coding", FASHION),
    Case("gan", FASHION),
    Case("dcgan", FASHION),
    Case("conditional-gan", FASHION),
    Case("wgan-gp", FASHION),
    Case("rnn", FASHION),
    Case("bilstm", FASHION),
    Case("resnet", MNIST, 0.993),
    Case("resnet", FASHION, 0.935),
)


def run(case: Case, out: Path) -> dict[str, Any]:
    """Train unless it is done, and return what the command said with the words that it was."""
    words = ["train", case.model, "--data", case.data, *case.more]
    file = out / case.data / case.model / "result.json"
    if file.is_file():
        known: dict[str, Any] = json.loads(file.read_text())
        if known["words"] == words:
            return known
    told = file.with_name("told.json")
    file.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "toolkit", *words, "--out", str(out / case.data), "--resume", "--json", str(told)]
    subprocess.run(command, check=True, cwd=ROOT)
    result = {"words": words, **json.loads(told.read_text())}
    result.pop("artifact")
    result.pop("parts")
    write_file(file, json.dumps(result, indent=1) + "\n")
    return result


def row(case: Case, result: dict[str, Any]) -> str:
    """One line of the log."""
    test, metrics = result["test"], result["metrics"]
    accuracy = test["accuracy"]
    first, best = (m["validation_loss"] if accuracy is None else m["validation_accuracy"] for m in (metrics[0], result["best"]))
    form = ".4f" if accuracy is None else ".2%"
    quality = f"{test['loss'] if accuracy is None else accuracy:{form}}"
    notes = [f"held-out class told by its error: area {result['anomaly_auc']:.4f}"] if result["anomaly_auc"] is not None else []
    if result["baseline"]:
        notes.append(f"{result['baseline']['method']}: {result['baseline']['value']:{form}}")
    bar = "" if case.bar is None else f"{case.bar:.1%} {'met' if accuracy >= case.bar else '**not met**'}"
    seconds = sum(m["seconds"] for m in metrics)
    return (
        f"| `toolkit {' '.join(result['words'])}` | {seconds:.0f} | {len(metrics)} | {result['best']['epoch']} | "
        f"{first:{form}} → {best:{form}} | {quality} | {bar} | {'; '.join(notes)} |"
    )


def markdown(results: Sequence[tuple[Case, dict[str, Any]]]) -> str:
    """The log: a line a run."""
    machine = this_machine()
    minutes = sum(r["seconds"] for _, r in results) / 60
    lines = [
        "# The full trainings",
        "",
        "Made by `make train-all`; never edited by hand. Every run has the seed of its recipe, 0.",
        "",
        f"{machine.cpu}, {machine.threads} threads; {minutes:.0f} minutes for all that is listed.",
        "",
        "Quality is accuracy for classifiers, the mean squared error of a pixel in prepared units for autoencoders, and the Fréchet",
        "distance between features of the toolkit's own classifier for generators. Validation is a part of the training split that was",
        "not learned from; the weights of the best epoch are the ones that are tested and shipped. Seconds are those of the epochs; a run",
        "may have shared the machine with others. None is quantization-aware: [qat.md](qat.md) says what that would gain.",
        "",
        "| command | seconds | epochs | best | validation, first epoch → best | test | bar | besides |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        *(row(case, result) for case, result in results),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Train what is not trained yet, and write after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "artifacts" / "train-all")
    parser.add_argument("--log", type=Path, default=ROOT / "docs" / "training.md")
    parser.add_argument("--only", nargs="*", help="models; default: all")
    options = parser.parse_args()
    results = []
    for case in CASES:
        done = options.out / case.data / case.model / "result.json"
        if options.only and case.model not in options.only and not done.is_file():
            continue
        results.append((case, run(case, options.out.resolve())))
        write_file(options.log, markdown(results))
    slow = [case.model for case, result in results if case.bar is not None and result["test"]["accuracy"] < case.bar]
    sys.exit(f"below its bar: {', '.join(slow)}" if slow else 0)


if __name__ == "__main__":
    main()
