"""Tiny configurations of `transformers` with random weights, exported by ``torch.export`` with a free batch."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.coverage_table.architectures import Architecture, Size, draw
from toolkit.core import Samples

WORDS, LENGTH, SIDE = 100, 16, 32
_TEXT = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "vocab_size": WORDS,
    "num_labels": 10,
}
_CAUSAL = _TEXT | {"use_cache": False, "num_key_value_heads": 1, "head_dim": 16, "pad_token_id": 0}
_VISION = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "image_size": SIDE,
    "patch_size": 8,
    "num_labels": 10,
}
_STAGES = {"embedding_size": 16, "hidden_sizes": [16, 32], "depths": [1, 1], "num_labels": 10}
_AUDIO = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "conv_dim": [16, 16],
    "conv_stride": [5, 4],
    "conv_kernel": [10, 8],
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "num_labels": 10,
    "vocab_size": 12,
    "classifier_proj_size": 16,
}


@dataclass(frozen=True)
class Net:
    """A class of `transformers` and what its configuration's defaults are replaced with.

    ``inputs`` is text (tokens and a mask), tokens, image, audio or features, the last three of ``shape``; ``part`` is the attribute that is
    taken of the model, such as ``encoder``.
    """

    name: str
    model: str
    options: Mapping[str, Any]
    inputs: str = "text"
    shape: tuple[int, ...] = (3, SIDE, SIDE)
    part: str = ""


NETS = (
    Net("bert", "BertForSequenceClassification", _TEXT),
    Net(
        "distilbert", "DistilBertForSequenceClassification", {"dim": 32, "hidden_dim": 64, "n_layers": 2, "n_heads": 2, "vocab_size": WORDS}
    ),
    Net("roberta", "RobertaForTokenClassification", _TEXT),
    Net("albert", "AlbertForMaskedLM", _TEXT | {"embedding_size": 16}),
    Net("electra", "ElectraModel", _TEXT | {"embedding_size": 16}),
    Net(
        "mobilebert",
        "MobileBertForSequenceClassification",
        _TEXT | {"embedding_size": 32, "intra_bottleneck_size": 32, "num_attention_heads": 4},
    ),
    Net("deberta-v2", "DebertaV2ForSequenceClassification", _TEXT | {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]}),
    Net("fnet", "FNetForSequenceClassification", _TEXT, inputs="tokens"),
    Net("gpt2", "GPT2LMHeadModel", {"n_embd": 32, "n_layer": 2, "n_head": 2, "vocab_size": WORDS, "use_cache": False}),
    Net("opt", "OPTForCausalLM", _CAUSAL | {"ffn_dim": 64, "word_embed_proj_dim": 32}),
    Net("gpt-neox", "GPTNeoXForCausalLM", _CAUSAL),
    Net("bloom", "BloomForCausalLM", _CAUSAL | {"n_layer": 2, "n_head": 2}),
    Net("llama", "LlamaForCausalLM", _CAUSAL),
    Net("qwen2", "Qwen2ForCausalLM", _CAUSAL),
    Net("mistral", "MistralForCausalLM", _CAUSAL),
    Net("gemma", "GemmaForCausalLM", _CAUSAL),
    Net("phi", "PhiForCausalLM", _CAUSAL),
    Net("t5-encoder", "T5EncoderModel", {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2, "vocab_size": WORDS}),
    Net("vit", "ViTForImageClassification", _VISION, "image"),
    Net("deit", "DeiTForImageClassificationWithTeacher", _VISION, "image"),
    Net("beit", "BeitForImageClassification", _VISION, "image"),
    Net("dinov2", "Dinov2ForImageClassification", _VISION, "image"),
    Net("clip-vision", "CLIPVisionModel", _VISION, "image"),
    Net("siglip-vision", "SiglipVisionModel", _VISION, "image"),
    Net(
        "swin",
        "SwinForImageClassification",
        {"image_size": SIDE, "patch_size": 4, "embed_dim": 16, "depths": [1, 1], "num_heads": [2, 2], "window_size": 4, "num_labels": 10},
        "image",
    ),
    Net(
        "segformer",
        "SegformerForImageClassification",
        {
            "hidden_sizes": [16, 32],
            "depths": [1, 1],
            "num_encoder_blocks": 2,
            "sr_ratios": [2, 1],
            "patch_sizes": [7, 3],
            "strides": [4, 2],
            "num_attention_heads": [1, 2],
            "mlp_ratios": [2, 2],
            "decoder_hidden_size": 16,
            "num_labels": 10,
        },
        "image",
    ),
    Net(
        "dpt",
        "DPTForDepthEstimation",
        _VISION
        | {
            "num_hidden_layers": 4,
            "backbone_out_indices": [0, 1, 2, 3],
            "neck_hidden_sizes": [8, 8, 16, 16],
            "fusion_hidden_size": 16,
            "is_hybrid": False,
        },
        "image",
    ),
    Net(
        "convnext",
        "ConvNextForImageClassification",
        {"hidden_sizes": [16, 32], "depths": [1, 1], "num_stages": 2, "num_labels": 10},
        "image",
    ),
    Net(
        "convnextv2",
        "ConvNextV2ForImageClassification",
        {"hidden_sizes": [16, 32], "depths": [1, 1], "num_stages": 2, "num_labels": 10},
        "image",
    ),
    Net("resnet", "ResNetForImageClassification", _STAGES | {"layer_type": "basic"}, "image"),
    Net("regnet", "RegNetForImageClassification", _STAGES | {"groups_width": 8, "layer_type": "y"}, "image"),
    Net("mobilenet-v1", "MobileNetV1ForImageClassification", {"depth_multiplier": 0.25, "num_labels": 10}, "image"),
    Net("mobilenet-v2", "MobileNetV2ForImageClassification", {"depth_multiplier": 0.25, "num_labels": 10}, "image"),
    Net(
        "mobilevit",
        "MobileViTForImageClassification",
        {
            "image_size": SIDE,
            "hidden_sizes": [16, 24, 32],
            "neck_hidden_sizes": [8, 8, 16, 16, 24, 32, 64],
            "num_attention_heads": 2,
            "num_labels": 10,
        },
        "image",
    ),
    Net(
        "efficientnet",
        "EfficientNetForImageClassification",
        {"width_coefficient": 0.25, "depth_coefficient": 0.25, "hidden_dim": 320, "num_labels": 10},
        "image",
    ),
    Net(
        "poolformer",
        "PoolFormerForImageClassification",
        {
            "hidden_sizes": [16, 32],
            "depths": [1, 1],
            "num_encoder_blocks": 2,
            "patch_sizes": [7, 3],
            "strides": [4, 2],
            "padding": [2, 1],
            "num_labels": 10,
        },
        "image",
    ),
    Net(
        "levit",
        "LevitForImageClassification",
        {
            "image_size": 64,
            "hidden_sizes": [32, 48, 64],
            "num_attention_heads": [2, 2, 2],
            "depths": [1, 1, 1],
            "key_dim": [8, 8, 8],
            "down_ops": [["Subsample", 8, 4, 4, 2, 2], ["Subsample", 8, 6, 4, 2, 2]],
            "num_labels": 10,
        },
        "image",
        (3, 64, 64),
    ),
    Net("wav2vec2", "Wav2Vec2ForSequenceClassification", _AUDIO, "audio", (1600,)),
    Net("hubert", "HubertModel", _AUDIO, "audio", (1600,)),
    Net(
        "whisper-encoder",
        "WhisperModel",
        {
            "d_model": 32,
            "encoder_layers": 2,
            "decoder_layers": 1,
            "encoder_attention_heads": 2,
            "decoder_attention_heads": 2,
            "encoder_ffn_dim": 64,
            "decoder_ffn_dim": 64,
            "num_mel_bins": 16,
            "max_source_positions": 40,
            "vocab_size": WORDS,
            "pad_token_id": 0,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "decoder_start_token_id": 1,
        },
        "features",
        (16, 80),
        "encoder",
    ),
    Net(
        "audio-spectrogram-transformer",
        "ASTForAudioClassification",
        _VISION | {"max_length": 48, "num_mel_bins": 32, "patch_size": 16, "frequency_stride": 10, "time_stride": 10},
        "audio",
        (48, 32),
    ),
)


def architectures() -> list[Architecture]:
    """One for each of `NETS`."""
    return [Architecture(net.name, "pt2", f"transformers {net.model}", functools.partial(make, net)) for net in NETS]


def make(net: Net, folder: Path, size: Size) -> tuple[Path, Samples]:
    """Export the network to ``<name>.pt2``; names of inputs are those of its ``forward``."""
    import torch

    module = build(net)
    columns = inputs(net, size.calibration + size.evaluation)
    example = {name: torch.from_numpy(array[:2].copy()) for name, array in columns.items()}
    enlarge(module, columns)
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
    kind = getattr(transformers, net.model)
    module = kind(kind.config_class(**net.options))
    with torch.no_grad():
        for weight in module.parameters():
            if weight.ndim > 1:
                # The libraries' own start makes outputs so small that any error would be within an absolute tolerance.
                weight.normal_(0.0, weight[0].numel() ** -0.5)
    return functools.reduce(getattr, filter(None, net.part.split(".")), module).eval()


def enlarge(module: Any, columns: Mapping[str, np.ndarray]) -> None:
    """Give scores that vary by less than 0.01 a standard deviation of 1 by their last matrix: signals shrink in a deep net. Where they
    vanish, batch normalizations first take their statistics from 64 rows, as in a training.
    """
    import torch

    few, many = ({name: torch.from_numpy(array[:rows].copy()) for name, array in columns.items()} for rows in (2, 64))

    def spread() -> Any:
        scores = next(iter(module(**few).values()))
        return scores.std(0).mean() if scores.ndim == 2 else None

    with torch.no_grad():
        if spread() == 0:
            for layer in module.modules():
                if isinstance(layer, torch.nn.BatchNorm2d):
                    layer.reset_running_stats()
                    layer.momentum = None
                    layer.train()
            module(**many)
            module.eval()
        size = spread()
        if size is not None and size < 0.01:
            last = [weight for weight in module.parameters() if weight.ndim > 1][-1]
            last.div_(size)


def inputs(net: Net, count: int) -> dict[str, np.ndarray]:
    """Random inputs by name, `count` rows."""
    if net.inputs in {"text", "tokens"}:
        tokens = draw(count, (LENGTH,), "int64", seed=0, below=WORDS)
        masks = {"attention_mask": draw(count, (LENGTH,), "mask", seed=1)} if net.inputs == "text" else {}
        return {"input_ids": tokens, **masks}
    name = {"image": "pixel_values", "audio": "input_values", "features": "input_features"}[net.inputs]
    return {name: draw(count, net.shape, "float32", seed=0)}
