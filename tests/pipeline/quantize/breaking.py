"""A net that int8 breaks: it computes what a trained net does, on values that no 256 levels can hold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tests.converters.nets import export
from toolkit.core import Artifact, Samples, Signature, TensorSpec

if TYPE_CHECKING:
    from torch import nn

WIDE, CHANNELS = 16, 24


def build() -> nn.Module:
    """Images ``[B, 1, 8, 8]`` -> logits ``[B, 10]``: a stem, a separable block, and two convolutions with most of the work."""
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, WIDE, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(WIDE, WIDE, 1),
        nn.ReLU(),
        nn.Conv2d(WIDE, WIDE, 3, padding=1, groups=WIDE),
        nn.ReLU(),
        nn.Conv2d(WIDE, CHANNELS, 1),
        nn.ReLU(),
        nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(CHANNELS * 16, 10),
    )


def learn(net: nn.Module, images: np.ndarray, labels: np.ndarray) -> None:
    """A few seconds of training on one thread: two that share a busy machine wait for each other."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    x, y = torch.from_numpy(images), torch.from_numpy(labels)
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(25):
        for rows in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()
            with torch.no_grad():
                net[2].weight[:, -1] = 0  # `break_it` needs a channel that nobody reads.
    torch.set_num_threads(threads)


def break_it(net: nn.Module, *, decades: float, constant: float) -> None:
    """Change the weights so that the net computes the same and int8 does not.

    Two neighbours are scaled against each other channel by channel, over so many orders of magnitude: behind a ReLU that cancels (Nagel
    et al. 2019 use it the other way round). And a channel of the stem becomes a constant that the next layer does not read.
    """
    import torch

    stem, point, depth, mix = (net[place] for place in (0, 2, 4, 6))
    random = np.random.default_rng(0)
    with torch.no_grad():
        stem.weight[-1] = 0
        stem.bias[-1] = constant
        for first, second in ((point, depth), (depth, mix)):
            scale = torch.from_numpy((10.0 ** random.uniform(-decades / 2, decades / 2, WIDE)).astype(np.float32))
            first.weight *= scale[:, None, None, None]
            first.bias *= scale
            second.weight /= scale[:, None, None, None] if second is depth else scale[None, :, None, None]


def broken_net(folder: Path, *, decades: float = 3.0, constant: float = 4000.0) -> tuple[Artifact, Path]:
    """The net as an artifact, and a file of samples that it has not learned: digits, each moved and dimmed in ten ways."""
    import torch

    learned, fresh = digits()
    assert learned.targets is not None
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = build()
        learn(net, learned.inputs["image"], learned.targets)
    break_it(net, decades=decades, constant=constant)
    signature = Signature((TensorSpec("image", "float32", ("batch", 1, 8, 8)),), (TensorSpec("logits", "float32", ("batch", 10)),))
    artifact = export(folder / "broken" / "pt2-fp32", net, (torch.zeros(2, 1, 8, 8),), signature, "broken")
    fresh.save(file := folder / "digits.npz")
    return artifact, file


def digits() -> tuple[Samples, Samples]:
    """What the net learns from, and what it is judged by."""
    from sklearn.datasets import load_digits

    data = load_digits()
    images, labels = (data.images[:, None] / 16).astype(np.float32), data.target.astype(np.int64)
    return _varied(images[:1200], labels[:1200], times=2), _varied(images[1200:], labels[1200:], times=10)


def _varied(images: np.ndarray, labels: np.ndarray, *, times: int) -> Samples:
    random = np.random.default_rng(0)
    copies = [np.roll(images, random.integers(-1, 2), axis=3) * random.uniform(0.7, 1.0) for _ in range(times)]
    noisy = [np.clip(copy + random.normal(0, 0.03, copy.shape), 0, 1).astype(np.float32) for copy in copies]
    return Samples({"image": np.concatenate(noisy)}, np.concatenate([labels] * times))
