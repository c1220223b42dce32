"""Language models whose answers are known: the next token is the sum of all tokens so far, modulo the size of the vocabulary."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from toolkit.core import MANIFEST, Format, Manifest, Precision, Preprocessing, Signature, TensorSpec, Tokens, new_folder, sha256_of

VOCABULARY = 11


def said(prompt: list[int], count: int, *, masked: bool = False) -> list[int]:
    """What the networks put behind a prompt; `masked` what one with a mask does, which adds how many tokens there are."""
    tokens = list(prompt)
    for _ in range(count):
        tokens.append((sum(tokens) + masked * len(tokens)) % VOCABULARY)
    return tokens[len(prompt) :]


def summing_step(file: Path, *, mask: int = 0) -> Path:
    """ONNX: ``token: int64[batch]`` and a state ``total: int64[batch]`` -> ``logits: float32[batch, 11]`` and ``total_out``.

    With a `mask` an ``attention_mask`` of that length too, whose sum is added.
    """
    from onnx import TensorProto, helper

    nodes = [helper.make_node("Add", ["total", "token"], ["total_out"])]
    if mask:
        nodes += [
            helper.make_node("ReduceSum", ["attention_mask", "last"], ["seen"], keepdims=0),
            helper.make_node("Add", ["total_out", "seen"], ["all"]),
        ]
    nodes += _scores("all" if mask else "total_out")
    inputs = [_value(name, TensorProto.INT64, ["batch"]) for name in ("token", "total")]
    inputs += [_value("attention_mask", TensorProto.INT64, ["batch", mask])] if mask else []
    outputs = [_value("logits", TensorProto.FLOAT, ["batch", VOCABULARY]), _value("total_out", TensorProto.INT64, ["batch"])]
    return _saved(file, nodes, inputs, outputs, {"last": np.array([1], np.int64)})


def summing_cache(file: Path) -> Path:
    """ONNX, as the exporters of Hugging Face write a decoder: ``input_ids: int64[batch, time]``, an ``attention_mask`` and the
    ``position_ids`` of each, and ``past: int64[batch, before]``, which ``present`` has the new tokens behind.

    What the mask and the places say is part of the sum, so that a wrong one is a wrong token: 1 for the mask of each, 0 for its true place.
    """
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("Concat", ["past", "input_ids"], ["present"], axis=1),
        helper.make_node("Mul", ["present", "attention_mask"], ["seen"]),
        helper.make_node("CumSum", ["seen", "last"], ["sums"]),
        # The sums at the places of the new tokens, which `position_ids` name.
        helper.make_node("GatherElements", ["sums", "position_ids"], ["total"], axis=1),
        *_scores("total"),
    ]
    names = ("input_ids", "attention_mask", "position_ids", "past")
    sizes = ("time", "before_and_time", "time", "before")
    inputs = [_value(name, TensorProto.INT64, ["batch", size]) for name, size in zip(names, sizes, strict=True)]
    outputs = [_value("logits", TensorProto.FLOAT, ["batch", "time", VOCABULARY]), _value("present", TensorProto.INT64, ["batch", "after"])]
    return _saved(file, nodes, inputs, outputs, {"last": np.array(1, np.int64)})


def as_artifact(step: Path, folder: Path, tokens: Tokens) -> None:
    """What `summing_step` has written, as an artifact whose manifest says what its tokens are."""
    row = ("batch",)
    token, total, after = (TensorSpec(name, "int64", row) for name in ("token", "total", "total_out"))
    signature = Signature((token, total), (TensorSpec("logits", "float32", (*row, VOCABULARY)), after))
    with new_folder(folder) as work:
        file = work / Format.ONNX.file_name
        file.write_bytes(step.read_bytes())
        manifest = Manifest(
            "language",
            Format.ONNX,
            Precision.FP32,
            signature,
            {file.name: sha256_of(file)},
            "by hand",
            preprocessing=Preprocessing(text=tokens),
        )
        (work / MANIFEST).write_bytes(manifest.to_json())


def _scores(total: str) -> list[object]:
    """``logits``: 1 for the token that `total` names, 0 for the others."""
    from onnx import helper

    return [
        helper.make_node("Mod", [total, "size"], ["next"]),
        helper.make_node("OneHot", ["next", "size", "ends"], ["logits"], axis=-1),
    ]


def _value(name: str, kind: int, shape: list[int | str]) -> object:
    from onnx import helper

    return helper.make_tensor_value_info(name, kind, shape)


def _saved(file: Path, nodes: list[object], inputs: list[object], outputs: list[object], more: dict[str, np.ndarray] | None = None) -> Path:
    from onnx import helper, numpy_helper, save

    constants = {"size": np.array(VOCABULARY, np.int64), "ends": np.array([0, 1], np.float32), **(more or {})}
    tensors = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "language", inputs, outputs, tensors)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), file)
    return file
