"""Where torch.compile helps a training, and where not: docs/compiled-steps.md.

python benchmarks/compiled_steps.py
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from toolkit.core import this_machine, write_file
from toolkit.core.statistics import bootstrap_ratio
from toolkit.core.threads import let_threads_sleep
from toolkit.models import find_model
from toolkit.models.data import find_data
from toolkit.models.training.learner import Learner, reproducible

ROOT = Path(__file__).resolve().parents[1]
MODELS = ("mlp", "cnn", "lenet", "lstm", "transformer", "resnet")
ROUNDS, STEPS = 25, 4


def stepper(name: str, *, compiled: bool) -> Callable[[], float]:
    """A training's own step on one batch of clothes."""
    import torch

    model, data = find_model(name), find_data("fashion-mnist")
    recipe = replace(model.recipe(data.name), compile=compiled)
    samples = data.load("train", rows=slice(recipe.batch_size))
    learner = Learner(model, model.module(data), recipe, steps=10_000, device="cpu")
    assert learner.compiled is compiled, "no C++ compiler is here"
    assert samples.targets is not None
    inputs, targets = torch.from_numpy(samples.inputs["image"]), torch.from_numpy(samples.targets)
    return lambda: learner.step(inputs, targets)


def seconds(step: Callable[[], float], times: int) -> float:
    """What so many steps take."""
    start = time.perf_counter()
    for _ in range(times):
        step()
    return time.perf_counter() - start


def row(name: str) -> str:
    """A model's line: rounds of both, one after the other."""
    eager, compiled = stepper(name, compiled=False), stepper(name, compiled=True)
    seconds(eager, 2)
    first = seconds(compiled, 2)
    rounds = [(seconds(eager, STEPS), seconds(compiled, STEPS)) for _ in range(ROUNDS)]
    before, after = zip(*rounds, strict=True)
    ratio = bootstrap_ratio(after, before)
    verdict = "not distinguishable" if ratio.low <= 1 <= ratio.high else "faster" if ratio.high < 1 else "slower"
    milliseconds = statistics.median(before) / STEPS * 1e3
    return f"| {name} | {milliseconds:.1f} | {ratio.value:.2f} [{ratio.low:.2f}, {ratio.high:.2f}] | {verdict} | {first:.0f} |"


def main() -> None:
    """Measure, and write a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "compiled-steps.md")
    options = parser.parse_args()
    let_threads_sleep()
    machine = this_machine()
    with tempfile.TemporaryDirectory() as cache, reproducible():
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache  # what earlier runs compiled would make the last column too small
        rows = [row(name) for name in MODELS]
    lines = [
        "# Training steps with torch.compile",
        "",
        "Made by `python benchmarks/compiled_steps.py`; never edited by hand.",
        "",
        f"{machine.cpu}, {machine.threads} threads. A step of each recipe on Fashion-MNIST, {ROUNDS} interleaved rounds of {STEPS} steps;",
        "the ratio is compiled to not compiled, below 1 is faster, with its bootstrap interval. `toolkit train NAME --compile` switches it",
        "on; no recipe does by itself, since its first step takes as long as the last column says and wants a C++ compiler.",
        "",
        "| model | ms a step | ratio | compiled | seconds before the third step |",
        "| --- | --- | --- | --- | --- |",
        *rows,
        "",
    ]
    write_file(options.out, "\n".join(lines))


if __name__ == "__main__":
    main()
