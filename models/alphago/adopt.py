"""A learner that begins with a net which was shipped: an ONNX graph, in which each batch normalization is part of its convolution."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.core import ArtifactError, InputError, needs, words_of

from .learner import Learner

if TYPE_CHECKING:
    from torch import Tensor, nn

_ROWS = 256


def adopt(learner: Learner, file: Path, planes: np.ndarray) -> None:
    """Begin with the weights of the ONNX graph `file`; blocks that it does not have begin as the identity, heads for training anew.

    Args:
        learner: of a net with as many channels, and at least as many blocks.
        file: what `export_net` made and the converter to ONNX.
        planes: ``[n, C, H, W]`` float32 positions as that net meets them: a normalization learns from them what it divides by.

    Raises:
        ArtifactError: no ONNX graph.
        InputError: the graph of another net.
    """
    import torch

    weights, biases = _weights(file)
    net = learner.net
    blocks = 1 + max((int(found[1]) for name in weights if (found := re.match(r"tower\.(\d+)\.", name))), default=-1)
    new = re.compile(rf"ownership\.|score\.|tower\.({'|'.join(map(str, range(blocks, len(net.tower)))) or 'none'})\.")
    mine = dict(net.named_parameters())
    norms = _norms(net)
    wanted = {name for name in mine if not new.match(name) and name.rpartition(".")[0] not in norms}
    given = {name for name in weights if re.search(r"\.(weight|bias)$", name)}
    fits = given == wanted and all(tuple(mine[name].shape) == weights[name].shape for name in wanted)
    if not fits:
        raise InputError(
            f"'{file}' is of another network",
            expected="as many channels, the same pooling, at most as many blocks",
            hint="give its size, or more blocks",
        )
    with torch.no_grad():
        for name in wanted:
            mine[name].copy_(torch.from_numpy(weights[name].copy()))
        kept = [(norm, biases[f"{convolution}.weight"]) for norm, convolution in norms.items() if not new.match(norm)]
        _normalize(net, kept, torch.from_numpy(planes).to(learner.device))
    learner.average.load_state_dict(net.state_dict())


def _normalize(net: nn.Module, kept: list[tuple[str, np.ndarray]], planes: Tensor) -> None:
    """Set each normalization so that it divides by what `planes` have there, and adds and multiplies back to no more than its bias."""
    import torch

    net.eval()
    modules = dict(net.named_modules())
    sums: dict[str, list[Tensor]] = {name: [] for name, _ in kept}
    hooks = []
    for name, bias in kept:
        norm = modules[name]
        norm.running_mean.zero_()
        norm.running_var.fill_(1 - norm.eps)
        norm.weight.fill_(1)
        norm.bias.copy_(torch.from_numpy(bias.copy()))

        def note(_: nn.Module, inputs: tuple[Tensor, ...], name: str = name) -> None:
            x = inputs[0].double()
            sums[name].append(torch.stack([x.mean(dim=(0, 2, 3)), (x * x).mean(dim=(0, 2, 3))]))

        hooks.append(norm.register_forward_pre_hook(note))
    for start in range(0, len(planes) - len(planes) % _ROWS or len(planes), _ROWS):
        net(planes[start : start + _ROWS])
    for hook in hooks:
        hook.remove()
    for name, _ in kept:
        norm = modules[name]
        mean, square = torch.stack(sums[name]).mean(dim=0)
        variance = (square - mean * mean).clamp(min=0)
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.add_(mean.to(norm.bias.dtype))
    net.train()


def _norms(net: nn.Module) -> dict[str, str]:
    """The name of each batch normalization, with that of the convolution before it."""
    from torch.nn import BatchNorm2d

    norms = [name for name, module in net.named_modules() if isinstance(module, BatchNorm2d)]
    return {name: f"{name.rpartition('.')[0]}.0" for name in norms}


def _weights(file: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Weights by their names in the net, and each convolution's bias by the name of its weight."""
    with needs("convert"):
        import onnx
        from onnx import numpy_helper
    try:
        graph: Any = onnx.load(file).graph
    except Exception as error:
        raise ArtifactError(f"'{file}' is no ONNX graph: {words_of(error)}") from error
    weights = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    convolutions = [node.input for node in graph.node if node.op_type == "Conv" and len(node.input) == 3]
    return weights, {weight: weights[bias] for _, weight, bias in convolutions if weight in weights and bias in weights}
