"""What features of clothes are worth for digits when there are few labels: docs/transfer.md.

python benchmarks/transfer.py --start artifacts/train-all/fashion-mnist/cnn/pt2-fp32
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from toolkit.core import Artifact, this_machine, write_file
from toolkit.models import find_model
from toolkit.models.data import find_data
from toolkit.models.training import train

ROOT = Path(__file__).resolve().parents[1]
LABELS = (10, 50, 100)
SEEDS = 5
_STUDENT = 2.776  # the 97.5 % point of Student's t with SEEDS - 1 degrees of freedom
_STEPS = 400
_MODELS = ("transformer", "cnn")


def accuracy(name: str, few: int, seed: int, start: Artifact | None) -> float:
    """Of a model on all test digits of MNIST, after about as many steps whatever the number of labels."""
    model, data = find_model(name), find_data("mnist")
    batch = 32
    epochs = max(1, round(_STEPS * batch / (9 * few)))  # a tenth of ten classes' samples validates
    recipe = replace(model.recipe("mnist"), few=few, epochs=epochs, batch_size=batch, learning_rate=2e-3, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        test = train(model, data, recipe=recipe, out=Path(folder) / name, start=start).test
        return model.quality(test.loss, test.accuracy)


def interval(values: np.ndarray, form: str) -> str:
    """The mean of a value for each draw, with Student's interval."""
    mean, arm = values.mean(), _STUDENT * values.std(ddof=1) / np.sqrt(len(values))
    return f"{mean:{form}} [{mean - arm:{form}}, {mean + arm:{form}}]"


def main() -> None:
    """Train what is not known yet, and write a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trained", type=Path, required=True, help="the bundles that were trained on Fashion-MNIST")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "transfer.md")
    options = parser.parse_args()
    machine = this_machine()
    raw = options.out.with_suffix(".json")
    known: dict[str, dict[str, list[list[float]]]] = json.loads(raw.read_text()) if raw.is_file() else {}
    lines = [
        "# Few labels",
        "",
        "Made by `python benchmarks/transfer.py`; never edited by hand. Raw values: [transfer.json](transfer.json).",
        "",
        f"MNIST with few labelled digits of each class, {SEEDS} draws of them: from scratch, and from the weights that",
        f"`make train-all` learned on Fashion-MNIST, all but the last layer's (`toolkit train --few N --start-from`). About {_STEPS} steps",
        "of 32 with the model's own",
        "augmentation; accuracy on 10,000 test digits, the mean over draws with its 95 % interval. The difference is paired: both learn",
        "from the same digits.",
        "",
        f"{machine.cpu}, {machine.threads} threads.",
        "",
        "| model | labels of each class | from scratch | from clothes | difference, points |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name in _MODELS:
        start = Artifact.load(options.trained / name / "pt2-fp32")
        for few in LABELS:
            own = known.setdefault(name, {})
            own[str(few)] = rows = own.get(str(few)) or [[accuracy(name, few, seed, s) for s in (None, start)] for seed in range(SEEDS)]
            write_file(raw, json.dumps(known, indent=1) + "\n")
            values = np.array(rows)
            scratch, clothes = (interval(values[:, column], ".2%") for column in range(2))
            lines.append(f"| {name} | {few} | {scratch} | {clothes} | {interval(100 * (values[:, 1] - values[:, 0]), '+.2f')} |")
            write_file(options.out, "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
