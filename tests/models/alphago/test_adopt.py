"""A learner that begins with a net in ONNX, on a small board."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from toolkit.core import ArtifactError, InputError, Samples
from toolkit.models.alphago.adopt import adopt
from toolkit.models.alphago.games import Go
from toolkit.models.alphago.learner import Learner, LearnerOptions
from toolkit.models.alphago.net import NetOptions, build_net, export_net
from toolkit.pipeline.convert import Request, convert, nodes
from toolkit.pipeline.source.samples import Split

GAME, SMALL = Go(3), NetOptions(2, 8, pooling=True)


@pytest.fixture(scope="module")
def planes() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 2, (256, GAME.planes, 3, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def net(planes: np.ndarray) -> torch.nn.Module:
    """One whose normalizations have seen positions, and which says something of them."""
    torch.manual_seed(0)
    net = build_net(GAME, SMALL)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    with torch.no_grad():
        for _ in range(50):
            net(torch.from_numpy(planes))
    return net.eval()


@pytest.fixture(scope="module")
def file(net: torch.nn.Module, planes: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("net")
    source = export_net(net, game=GAME, options=SMALL, out=folder / "pt2-fp32")
    (row,) = convert(
        Request(source, nodes(["onnx"], ["fp32"]), folder, Split(Samples({"planes": planes[:64]}), Samples({"planes": planes[64:]})))
    )
    assert row.artifact is not None
    return row.artifact.model_file


def test_it_says_the_same_and_so_it_does_in_training(net: torch.nn.Module, file: Path, planes: np.ndarray) -> None:
    deeper = NetOptions(4, 8, pooling=True, ownership=True, score=True)
    learner = Learner(GAME, deeper, LearnerOptions(batch_size=2, bf16=False), seed=1)
    adopt(learner, file, planes)
    seen = torch.from_numpy(planes)
    with torch.no_grad():
        want = net(seen)
        average = learner.average.eval()(seen.to(learner.device))
        training = learner.net(seen.to(learner.device))
    assert learner.net.training
    for mine, theirs in zip(average, want, strict=True):
        torch.testing.assert_close(mine.cpu(), theirs, atol=1e-4, rtol=1e-4)
    for mine, theirs in zip(training, want, strict=True):
        torch.testing.assert_close(mine.cpu(), theirs, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("options", [NetOptions(1, 8, pooling=True), NetOptions(2, 12, pooling=True), NetOptions(2, 8)], ids=str)
def test_a_net_that_does_not_fit_is_refused(options: NetOptions, file: Path, planes: np.ndarray) -> None:
    learner = Learner(GAME, options, LearnerOptions(batch_size=2, bf16=False), seed=1)
    with pytest.raises(InputError, match="of another network"):
        adopt(learner, file, planes)


def test_what_is_no_graph_is_said(tmp_path: Path, planes: np.ndarray) -> None:
    (tmp_path / "model.onnx").write_bytes(b"none")
    learner = Learner(GAME, SMALL, LearnerOptions(batch_size=2, bf16=False), seed=1)
    with pytest.raises(ArtifactError, match="no ONNX graph"):
        adopt(learner, tmp_path / "model.onnx", planes)
