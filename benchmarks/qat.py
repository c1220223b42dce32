"""Whether quantization-aware training is worth its time, against as many epochs of float training: docs/qat.md.

    python -m benchmarks.qat

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
from toolkit.core.threads import let_threads_sleep
from toolkit.models import TrainingRecipe, find_model
from toolkit.models.base import ImageClassifier
from toolkit.models.data import DataSet, find_data
from toolkit.models.training import export_pt2, outputs_of
from toolkit.models.training.learner import reproducible
from toolkit.models.training.run import TrainingRun
from toolkit.models.training.trainer import qat_recipe
from toolkit.pipeline.convert import Request, convert, nodes
from toolkit.pipeline.source.samples import CALIBRATION_SAMPLES, Split
from toolkit.runtimes import open_session

if TYPE_CHECKING:
    from torch import Tensor, nn

ROOT = Path(__file__).resolve().parents[1]
FORMATS = (Format.ONNX, Format.OPENVINO, Format.TFLITE)
ARMS = ("float", "qat")
_CHUNK = 32
_ROUNDS, _STEPS = 15, 4


class Broken(ImageClassifier):
    """The net that int8 breaks; ``constant`` is what one of its channels always is."""

    name = "broken"

    def __init__(self, constant: float) -> None:
        self.constant = constant

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


BROKEN = {"uneven": Broken(0.0), "broken": Broken(4000.0)}
TRIALS = (
    Trial("mlp", 3, 2, (0, 1)),
    Trial("cnn", 2, 2, (0, 1)),
    Trial("resnet", 1, 1, (0, 1)),
    Trial("uneven", 0, 5, (0, 1)),
    Trial("broken", 0, 5, (0,)),
)


def measure(trial: Trial, seed: int) -> dict[str, Any]:
    """Both arms of a net from the same weights: seconds of rounds of steps, and which test samples each file answers right."""
    model = BROKEN.get(trial.net) or find_model(trial.net)
    assert isinstance(model, ImageClassifier)
    broken = isinstance(model, Broken)
    data = find_data("digits" if broken else "fashion-mnist")
    samples, test = digits() if broken else (data.load("train"), data.load("test"))
    recipe = replace(model.recipe(data.name), epochs=trial.epochs, qat_epochs=trial.qat_epochs, seed=seed)
    with tempfile.TemporaryDirectory() as folder, reproducible():
        if isinstance(model, Broken):
            weights = _broken_weights(Path(folder), model.constant)
        else:
            weights = _finish(TrainingRun(model, data, samples, None, recipe=recipe))

        def arms() -> dict[str, TrainingRun]:
            return {
                arm: TrainingRun(model, data, samples, None, recipe=qat_recipe(recipe), weights=weights, qat=arm == "qat") for arm in ARMS
            }

        seconds, runs = _rounds(arms()), arms()
        right: dict[str, dict[str, np.ndarray]] = {}
        for arm, run in runs.items():
            _finish(run)
            right[arm] = _answers(model, data, run.learner.module.cpu(), samples, test, Path(folder) / arm)
    return {
        "samples": len(test),
        "seconds": seconds,
        "accuracy": {arm: {name: float(each.mean()) for name, each in found.items()} for arm, found in right.items()},
        "gain": {name: _interval(right["qat"][name], right["float"][name]) for name in right["qat"]},
    }


def _broken_weights(folder: Path, constant: float) -> dict[str, Tensor]:
    import torch

    weights: dict[str, Tensor] = torch.export.load(broken_net(folder, constant=constant)[0].model_file).state_dict
    return {name: value.detach() for name, value in weights.items()}


def _finish(run: TrainingRun) -> dict[str, Tensor]:
    while not run.is_done:
        run.epoch()
    run.use_best()
    weights: dict[str, Tensor] = run.learner.module.state_dict()
    return weights


def _rounds(runs: dict[str, TrainingRun]) -> list[list[float]]:
    """Seconds of a few steps of each arm, one arm after the other: of the processor's time, which other work lengthens less."""

    def seconds(run: TrainingRun) -> float:
        start = time.process_time()
        for _ in range(_STEPS):
            run.learner.step(run.inputs[: run.batch_size], run.targets[: run.batch_size])
        return time.process_time() - start

    return [[seconds(runs[arm]) for arm in ARMS] for _ in range(_ROUNDS + 1)][1:]  # the first one warms up


def _interval(first: np.ndarray, second: np.ndarray) -> list[float]:
    found = paired_difference(first, second)
    return [found.value, found.low, found.high]


def _answers(
    model: ImageClassifier, data: DataSet, module: nn.Module, samples: Samples, test: Samples, folder: Path
) -> dict[str, np.ndarray]:
    """Which test samples ``[N]`` the network answers right, in float by torch and in int8 in each format."""
    right = {"torch": outputs_of(module, test).argmax(1).numpy() == test.targets}
    source = export_pt2(module, signature=model.signature(data), out=folder / "pt2-fp32", model="net", data=data.name)
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
    return "\n".join(
        [*_HEAD, "", f"{this_machine().cpu}.", "", *_summary(known), "", *_TAIL, "", "## Every file", "", *_details(known), ""]
    )


def _seeds(known: dict[str, dict[str, Any]], trial: Trial) -> list[dict[str, Any]]:
    return [known[key] for seed in trial.seeds if (key := f"{trial.net} {seed}") in known]


def _summary(known: dict[str, dict[str, Any]]) -> list[str]:
    rows = []
    for trial in TRIALS:
        found = _seeds(known, trial)
        if not found:
            continue
        gains = [Interval(*each["gain"][name]) for each in found for name in FORMATS]
        points = " | ".join(f"{100 * np.mean([each['gain'][name][0] for each in found]):+.2f}" for name in FORMATS)
        better, worse = sum(each.low > 0 for each in gains), sum(each.high < 0 for each in gains)
        times = np.array([pair for each in found for pair in each["seconds"]])
        ratio = bootstrap_ratio(list(times[:, 1]), list(times[:, 0]))
        rows.append(
            f"| {trial.net} | {trial.epochs} + {trial.qat_epochs} | {len(found)} | {_means(found, 'float')} | {_means(found, 'qat')} "
            f"| {points} | {better}, {worse} of {len(gains)} "
            f"| {ratio.value:.2f} [{ratio.low:.2f}, {ratio.high:.2f}] |"
        )
    told = ("net", "epochs", "seeds", "float training, fp32 → int8", "QAT, fp32 → int8")
    columns = (*told, *(f"points gained, {name}" for name in FORMATS), "better, worse", "time of a step")
    return [f"| {' | '.join(columns)} |", "| --- " * len(columns) + "|", *rows]


def _means(found: Sequence[dict[str, Any]], arm: str) -> str:
    exact, rounded = (np.mean([each["accuracy"][arm][name] for each in found for name in names]) for names in (("torch",), FORMATS))
    return f"{exact:.2%} → {rounded:.2%}"


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


_HEAD = """# Quantization-aware training

Made by `make bench-qat`; never edited by hand. Raw values: [qat.json](qat.json).

`toolkit train cnn --qat 3` trains as its recipe says, and then for 3 epochs with int8 weights and 8-bit activations: the inputs
and the weights of each convolution (transposed too) and linear layer are rounded on the way forward, and gradients pass the
rounding as if it were not there. With `--resume` the epochs are added to a training that is done. They have a one-cycle schedule
of their own with a tenth of the learning rate, and a checkpoint of their own in `training/qat`.

What comes out is an ordinary `pt2-fp32` artifact whose weights have been rounded. Symmetric levels up to each output channel's
largest weight are what the static int8 quantizers of all formats take, so they find the same integers again; no converter knows
of it (`tests/converters/test_qat_levels.py`). One exception: NNCF gives the first convolution 7 bits, and rounds it a second
time. Batch normalisation needs neither folding nor freezing: it multiplies whole output channels, and such a factor changes a
channel's levels as it changes its weights. The activations' ranges are moving averages of each batch's extremes; only the
training uses them, for the quantizers calibrate their own.

A network with other weights (recurrent layers, embeddings, tables of positions) is refused before the first epoch.

## Is it worth its time?

Both arms go on from the same weights for as many epochs with the same schedule, batches and seeds: one in float, one
quantization-aware. Both are then quantized to static int8 by the same converters and calibration samples. Accuracies are means
over seeds and formats; better and worse count the files whose paired 95 % interval (Newcombe 1998) leaves zero out; the time is
the processor's, on one thread, with a bootstrap interval over interleaved rounds of steps.

mlp, cnn and resnet learn Fashion-MNIST, before as briefly as the table says. uneven and broken are the net of
`tests/pipeline/quantize/breaking.py`: the channels of neighbouring layers are scaled against each other over three orders of
magnitude, and in broken one channel of the stem is besides always 4,000. They show whether training can repair what int8 breaks.
""".splitlines()

_TAIL = """What the tables say: where int8 costs nothing, there is nothing to gain, and float training of the same length is as good and
takes less time. Where the ranges of channels differ so much that int8 hurts, as in ONNX and TF Lite here, rounding while learning
gives most of it back, at the price of a point or two in float; OpenVINO, where NNCF gives the input of a depthwise convolution a
range for each channel, lost little before, and gains nothing or is worse. Where the range of one activation swallows all the
others nothing is learned, and the float network is worse than before: the broken net is one for `toolkit quantize`, which leaves
layers in float and trains nothing ([quantization.md](quantization.md)).

Not simulated: that the converters also round what is added, multiplied or squashed between the layers; that biases are integers;
that NNCF corrects biases after it has rounded.
""".splitlines()


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
