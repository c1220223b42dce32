"""Run the network on a file: python app.py FILE, or [NAME=]FILE for each of several inputs."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from engine import load
from prepare import SUFFIXES, prepare

HERE = Path(__file__).resolve().parent
ABOUT: dict[str, Any] = json.loads((HERE / "about.json").read_text(encoding="utf-8"))
BEST, SHOWN = 3, 8
"""How many labels are printed, and how many values of an output."""


class Network:
    """The model, open."""

    def __init__(self) -> None:
        self._run = load(HERE / ABOUT["model"], ABOUT)

    def run(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The outputs for the inputs, both in the order of about.json; raises ValueError for an input of another type or shape."""
        return self._run(check(arrays))


def read(words: Sequence[str]) -> list[np.ndarray]:
    """The inputs in order, from one file that is prepared, a .npz, or a .npy for each; raises ValueError and OSError."""
    if len(words) == 1 and Path(words[0]).suffix.lower() in SUFFIXES:
        return [prepare(Path(words[0]), ABOUT["preparation"])]
    names = [spec["name"] for spec in ABOUT["inputs"]]
    found: dict[str, np.ndarray] = {}
    for place, word in enumerate(words):
        name, _, file = word.partition("=")
        if not file or name not in names:
            name, file = names[min(place, len(names) - 1)], word
        content = _arrays(Path(file))
        found |= content if isinstance(content, dict) else {name: content}
    if set(found) != set(names) or len(words) > len(names):
        raise ValueError(f"expected {' or '.join(filter(None, (', '.join(SUFFIXES), _wanted(names))))}, got {' '.join(words) or 'nothing'}")
    return [found[name] for name in names]


def check(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The arrays; raises ValueError unless each has the type and the shape of its input, and a free size is the same in all."""
    free: dict[str, int] = {}
    for spec, array in zip(ABOUT["inputs"], arrays, strict=True):
        fits = array.dtype == spec["dtype"] and array.ndim == len(spec["shape"])
        for wanted, size in zip(spec["shape"], array.shape, strict=False):
            fits = fits and size > 0 and size == (free.setdefault(wanted, size) if isinstance(wanted, str) else wanted)
        if not fits:
            shape = ", ".join(map(str, spec["shape"]))
            raise ValueError(f"input {spec['name']}: expected {spec['dtype']} [{shape}], got {array.dtype} {[*array.shape]}")
    return list(arrays)


def lines(outputs: Sequence[np.ndarray]) -> list[str]:
    """What is printed."""
    told = []
    for place, (spec, array) in enumerate(zip(ABOUT["outputs"], outputs, strict=True)):
        if place == 0 and ABOUT["labels"]:
            for scores in array:
                best = np.argsort(-scores.astype(np.float64), kind="stable")[:BEST]
                told += [f"{ABOUT['labels'][number]}  {float(scores[number]):.4f}" for number in best]
        else:
            form = ".6g" if array.dtype.kind == "f" else "d"
            values = " ".join(format(value, form) for value in array.ravel()[:SHOWN].tolist())
            told.append(f"{spec['name']}: {array.dtype} {[*array.shape]} {values}{' ...' if array.size > SHOWN else ''}")
    return told


def _arrays(file: Path) -> np.ndarray | dict[str, np.ndarray]:
    try:
        content = np.load(file, allow_pickle=False)
        return content if isinstance(content, np.ndarray) else {name: content[name] for name in content.files}
    except FileNotFoundError:
        raise
    except Exception as error:  # A damaged archive makes NumPy raise anything.
        raise ValueError(f"'{file}' cannot be read as .npy or .npz: {error}") from error


def _wanted(names: Sequence[str]) -> str:
    return "a .npy" if len(names) == 1 else f"a .npz, or a .npy each for {', '.join(names)}"


def main(words: Sequence[str]) -> int:
    """The exit code: 2 for what cannot be read or run."""
    try:
        told = lines(Network().run(read(words)))
    except Exception as error:  # Engines raise anything: one line says what.
        text = str(error).strip().splitlines() or [type(error).__name__]
        print(f"error: {text[0]}", file=sys.stderr)
        return 2
    print("\n".join(told))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
