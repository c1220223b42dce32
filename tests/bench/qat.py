"""Whether quantization-aware training is worth its time, against as many epochs of float training: docs/qat.md.

    python tests/bench/qat.py

What was measured before is not measured again unless ``docs/qat.json`` is removed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.pipeline.quantize.breaking import broken_net, build, digits
from toolkit.core import Artifact, Format, Precision, Samples, this_machine, write_file
from toolkit.core.statistics import Interval, bootstrap_ratio, paired_difference
from toolkit.models import TrainingRecipe, find_model
from toolkit.models.base import ImageClassifier
from toolkit.models.data import DataSet, find_data
from toolkit.models.training import export_pt2, outputs_of
from toolkit.models.training.learner import let_threads_sleep, reproducible
from toolkit.models.training.run import Run
from toolkit.models.training.trainer import qat_recipe
from toolkit.pipeline.convert import Request, convert, nodes
from toolkit.pipeline.sources import CALIBRATION_SAMPLES, Split
from toolkit.runtimes import open_session

if TYPE_CHECKING:
    from torch import Tensor, nn

ROOT = Path(__file__).resolve().parents[2]
FORMATS = (Format.ONNX, Format.OPENVINO, Format.TFLITE)
ARMS = ("float", "qat")
_CHUNK = 32


class Broken(ImageClassifier):
    """The net that int8 breaks."""

    name = "broken"

    def build(self, input_shape: tuple[int, int, int], classes: int) -> nn.Module:
        """Always for digits."""
        assert (*input_shape, classes) == (1, 8, 8, 10)
        return build()

    def recipe(self, data: str) -> TrainingRecipe:
        """It has learned already."""
        return TrainingRecipe(batch_size=64, learning_rate=3e-3)


@dataclass(frozen=True)
class Trial:
    """A net, the epochs before both arms (0: it comes trained), those of each arm, and the seeds."""

    net: str
    epochs: int
    qat_epochs: int
    seeds: tuple[int, ...]


TRIALS = (Trial("mlp", 3, 2, (0, 1)), Trial("cnn", 2, 2, (0, 1)), Trial("resnet", 1, 1, (0, 1)), Trial(Broken.name, 0, 5, (0,)))


def measure(trial: Trial, seed: int) -> dict[str, Any]:
    """Both arms of a net from the same weights: seconds of each epoch, and which test samples each file answers right."""
    broken = trial.net == Broken.name
    model = Broken() if broken else find_model(trial.net)
    assert isinstance(model, ImageClassifier)
    data = find_data("digits" if broken else "fashion-mnist")
    samples, test = digits() if broken else (data.load("train"), data.load("test"))
    recipe = replace(model.recipe(data.name), epochs=trial.epochs, qat_epochs=trial.qat_epochs, seed=seed)
    with tempfile.TemporaryDirectory() as folder, reproducible():
        weights = _broken_weights(Path(folder)) if broken else _trained(Run(model, data, samples, None, recipe=recipe))
        runs = {arm: Run(model, data, samples, None, recipe=qat_recipe(recipe), weights=weights, qat=arm == "qat") for arm in ARMS}
        seconds = [[_epoch(runs[arm]) for arm in ARMS] for _ in range(trial.qat_epochs)]
        right: dict[str, dict[str, np.ndarray]] = {}
        for arm, run in runs.items():
            run.use_best()
            right[arm] = _answers(model, data, run.learner.module.cpu(), samples, test, Path(folder) / arm)
    return {
        "samples": len(test),
        "seconds": seconds,
        "accuracy": {arm: {name: float(each.mean()) for name, each in found.items()} for arm, found in right.items()},
        "gain": {name: _interval(right["qat"][name], right["float"][name]) for name in right["qat"]},
        "cost": {arm: {name: _interval(found["torch"], found[name]) for name in FORMATS} for arm, found in right.items()},
    }


def _broken_weights(folder: Path) -> dict[str, Tensor]:
    import torch

    weights: dict[str, Tensor] = torch.export.load(broken_net(folder)[0].model_file).state_dict
    return {name: value.detach() for name, value in weights.items()}


def _trained(run: Run) -> dict[str, Tensor]:
    while not run.is_done:
        run.epoch()
    run.use_best()
    weights: dict[str, Tensor] = run.learner.module.state_dict()
    return weights


def _epoch(run: Run) -> float:
    """Seconds of the processor's time, which other work on the machine does not lengthen as it does the clock's."""
    start = time.process_time()
    run.epoch()
    return time.process_time() - start


def _interval(first: np.ndarray, second: np.ndarray) -> list[float]:
    found = paired_difference(first, second)
    return [found.value, found.low, found.high]


def _answers(
    model: ImageClassifier, data: DataSet, module: nn.Module, samples: Samples, test: Samples, folder: Path
) -> dict[str, np.ndarray]:
    """Which test samples ``[N]`` the network answers right, in float by torch and in int8 in each format."""
    right = {"torch": outputs_of(module, test).argmax(1).numpy() == test.targets}
    source = export_pt2(module, signature=model.signature(data), out=folder / "pt2-fp32", model=model.name, data=data.name)
    calibration = samples.rows(np.random.default_rng(0).permutation(len(samples))[:CALIBRATION_SAMPLES])
    request = Request(source, nodes(FORMATS, [Precision.INT8]), folder, Split(calibration, test), batch_sizes=(1, _CHUNK))
    for row in convert(request, verify=False):
        assert row.artifact is not None, row.reason
        right[row.artifact.manifest.format] = _right(row.artifact, test)
    return right


def _right(artifact: Artifact, test: Samples) -> np.ndarray:
    (images,) = test.inputs.values()
    with open_session(artifact) as session:
        parts = [next(iter(session.run(images[start : start + _CHUNK]).as_dict().values())) for start in range(0, len(images), _CHUNK)]
    answers: np.ndarray = np.concatenate(parts).argmax(1) == test.targets
    return answers


def page(known: dict[str, dict[str, Any]]) -> str:
    """What is known so far, as Markdown."""
    machine = this_machine()
    lines = [*_HEAD, "", f"{machine.cpu}, {machine.threads} threads.", "", *_summary(known), "", *_details(known), ""]
    return "\n".join(lines)


def _seeds(known: dict[str, dict[str, Any]], trial: Trial) -> list[dict[str, Any]]:
    return [known[key] for seed in trial.seeds if (key := f"{trial.net} {seed}") in known]


def _summary(known: dict[str, dict[str, Any]]) -> list[str]:
    rows = []
    for trial in TRIALS:
        found = _seeds(known, trial)
        if not found:
            continue
        gains = [Interval(*each["gain"][name]) for each in found for name in FORMATS]
        costs = {arm: 100 * np.mean([each["cost"][arm][name][0] for each in found for name in FORMATS]) for arm in ARMS}
        better, worse = sum(each.low > 0 for each in gains), sum(each.high < 0 for each in gains)
        times = np.array([pair for each in found for pair in each["seconds"]])
        ratio = bootstrap_ratio(list(times[:, 1]), list(times[:, 0]))
        rows.append(
            f"| {trial.net} | {trial.epochs} + {trial.qat_epochs} | {len(found)} | {costs['float']:+.2f} | {costs['qat']:+.2f} "
            f"| {100 * np.mean([each.value for each in gains]):+.2f} | {better}, {worse} of {len(gains)} "
            f"| {ratio.value:.2f} [{ratio.low:.2f}, {ratio.high:.2f}] |"
        )
    head = ["| net | epochs | seeds | int8 costs float training | int8 costs QAT | QAT gains | better, worse | time of an epoch |"]
    return [*head, "| --- " * 8 + "|", *rows]


def _details(known: dict[str, dict[str, Any]]) -> list[str]:
    rows = []
    for trial in TRIALS:
        for seed, each in zip(trial.seeds, _seeds(known, trial), strict=False):
            for name in ("torch", *FORMATS):
                gain = Interval(*(100 * value for value in each["gain"][name]))
                shares = " | ".join(f"{each['accuracy'][arm][name]:.2%}" for arm in ARMS)
                where = "float, torch" if name == "torch" else f"int8, {name}"
                points = f"{gain.value:+.2f} [{gain.low:+.2f}, {gain.high:+.2f}]"
                rows.append(f"| {trial.net} | {seed} | {each['samples']} | {where} | {shares} | {points} |")
    head = ["| net | seed | n | computed in | float training | QAT | QAT gains, points |", "| --- " * 7 + "|"]
    return [*head, *rows]


_HEAD: Sequence[str] = ()


def main() -> None:
    """Measure what is not known yet, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "qat.md")
    options = parser.parse_args()
    let_threads_sleep()
    raw = options.out.with_suffix(".json")
    known: dict[str, dict[str, Any]] = json.loads(raw.read_text()) if raw.is_file() else {}
    for trial in TRIALS:
        for seed in trial.seeds:
            key = f"{trial.net} {seed}"
            if key not in known:
                known[key] = measure(trial, seed)
                write_file(raw, json.dumps(known, indent=1) + "\n")
            write_file(options.out, page(known))


if __name__ == "__main__":
    main()
