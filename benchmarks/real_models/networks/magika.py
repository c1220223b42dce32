"""magika: what kind a file is, by 2,048 of its bytes."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import numpy as np

from benchmarks.real_models.base import Arrays, Network

_PADDING = 256


def files(seed: int, count: int) -> Arrays:
    """The first and last 1,024 bytes of files of this Python's packages, ``int32[count, 2048]``: source, libraries, pictures, text."""
    random = np.random.default_rng(seed)
    folders = [Path(sysconfig.get_paths()["purelib"]) / name for name in ("matplotlib", "sklearn", "skimage", "numpy", "PIL")]
    every = sorted(path for folder in folders for path in folder.rglob("*") if path.is_file() and path.stat().st_size > 64)
    by_kind: dict[str, list[Path]] = {}
    for path in every:
        by_kind.setdefault(path.suffix, []).append(path)
    kinds = sorted(by_kind)
    chosen = [by_kind[kind][int(random.integers(len(by_kind[kind])))] for kind in random.choice(kinds, count)]
    return {"bytes": np.stack([_features(path.read_bytes()) for path in chosen])}


def _features(content: bytes) -> np.ndarray:
    first, last = content.lstrip()[:1024], content.rstrip()[-1024:]
    row = np.full(2048, _PADDING, np.int32)
    row[: len(first)] = np.frombuffer(first, np.uint8)
    row[2048 - len(last) :] = np.frombuffer(last, np.uint8)
    return row


def kinds(output: np.ndarray, target: np.ndarray) -> float:
    """Files whose kind is told alike"""
    return float(output.argmax() == target)


def _kind(outputs: Arrays) -> np.ndarray:
    return np.array(outputs["target_label"][0].argmax())


NETWORKS = [
    Network(
        name="magika", package="magika==1.0.3", file="magika/models/standard_v3_3/model.onnx", what="tells what kind a file is",
        samples=files, metric=kinds, decide=_kind, calibrates=600, held_out=300,
    ),
]  # fmt: skip
