"""Tiny configurations of `transformers` with random weights, exported by ``torch.export`` with a free batch."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import Samples

from .architectures import Architecture, Size, draw

WORDS, LENGTH, SIDE = 100, 16, 32
_TEXT = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "vocab_size": WORDS}
_CAUSAL = _TEXT | {"use_cache": False, "num_key_value_heads": 1, "pad_token_id": 0}
_VISION = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "image_size": SIDE, "patch_size": 8,
    "num_labels": 10,
}  # fmt: skip


@dataclass(frozen=True)
class Net:
    """A class of `transformers` with its configuration: ``<kind>Config`` unless it is named, and ``inputs`` of a text or of an image."""

    name: str
    model: str
    config: str
    options: Mapping[str, Any]
    inputs: str = "text"
    part: str = ""
    """The attribute that is taken of the model, such as ``encoder``."""
    shape: tuple[int, ...] = field(default=(3, SIDE, SIDE))


NETS = (
    Net("bert", "BertForSequenceClassification", "BertConfig", _TEXT | {"num_labels": 10}),
    Net("gpt2", "GPT2LMHeadModel", "GPT2Config", {"n_embd": 32, "n_layer": 2, "n_head": 2, "vocab_size": WORDS, "use_cache": False}),
    Net("t5-encoder", "T5EncoderModel", "T5Config", {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2, "vocab_size": WORDS}),
    Net("vit", "ViTForImageClassification", "ViTConfig", _VISION, "image"),
    Net("resnet", "ResNetForImageClassification", "ResNetConfig", {"embedding_size": 16, "hidden_sizes": [16, 32], "depths": [1, 1], "layer_type": "basic", "num_labels": 10}, "image"),
)  # fmt: skip


def architectures() -> list[Architecture]:
    """One for each of `NETS`."""
    return [Architecture(net.name, "pt2", f"transformers {net.model}", functools.partial(make, net)) for net in NETS]


def make(net: Net, folder: Path, size: Size) -> tuple[Path, Samples]:
    """Export the network to ``<name>.pt2``; names of inputs are those of its ``forward``."""
    import torch

    module = build(net)
    columns = inputs(net, size.calibration + size.evaluation)
    example = {name: torch.from_numpy(array[:2].copy()) for name, array in columns.items()}
    batch = torch.export.Dim("batch", min=1)
    with torch.no_grad():
        program = torch.export.export(module, (), example, dynamic_shapes={name: {0: batch} for name in example})
    file = folder / f"{net.name}.pt2"
    torch.export.save(program, file)
    return file, Samples(columns, None, "random")


def build(net: Net) -> Any:
    """The network with seeded random weights, in evaluation mode."""
    import torch
    import transformers

    torch.manual_seed(0)
    config = getattr(transformers, net.config)(**net.options)
    module = getattr(transformers, net.model)(config)
    with torch.no_grad():
        for weight in module.parameters():
            if weight.ndim > 1:
                # The libraries' own start makes outputs so small that any error would be within an absolute tolerance.
                weight.normal_(0.0, weight[0].numel() ** -0.5)
    return functools.reduce(getattr, filter(None, net.part.split(".")), module).eval()


def inputs(net: Net, count: int) -> dict[str, np.ndarray]:
    """Random inputs by name, `count` rows."""
    if net.inputs == "text":
        tokens = draw(count, (LENGTH,), "int64", seed=0, below=WORDS)
        return {"input_ids": tokens, "attention_mask": draw(count, (LENGTH,), "mask", seed=1)}
    name = {"image": "pixel_values", "audio": "input_values", "features": "input_features"}[net.inputs]
    return {name: draw(count, net.shape, "float32", seed=0)}
