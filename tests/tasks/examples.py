"""An example for each task, of as many samples as are asked for; its network is right in most of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.tasks.contract import Example
from toolkit.core import Signature, TensorSpec

COUNT = 12


def signature(**outputs: tuple[str, tuple[int | str, ...]]) -> Signature:
    """One image in, these outputs with dtype and shape without the batch."""
    specs = tuple(TensorSpec(name, dtype, ("batch", *shape)) for name, (dtype, shape) in outputs.items())
    return Signature((TensorSpec("image", "float32", ("batch", 3, 8, 8)),), specs)


def of_tokens(**outputs: tuple[str, tuple[int | str, ...]]) -> Signature:
    """As `signature`, with as many numbers in as ``tokens`` says."""
    return Signature((TensorSpec("numbers", "int64", ("batch", "tokens")),), signature(**outputs).outputs)


def classification(random: np.random.Generator) -> Example:
    labels = random.integers(0, 9, COUNT)
    scores = np.eye(9)[labels] + random.normal(0, 0.5, (COUNT, 9))
    return Example(signature(scores=("float32", (9,))), {"scores": scores.astype(np.float32)}, labels)


def detection(random: np.random.Generator) -> Example:
    """Eight boxes in each image, of which the network finds most."""
    targets = np.zeros((COUNT, 8, 5))
    targets[:, :, 0] = random.integers(-1, 3, (COUNT, 8))
    targets[:, :, 1:3] = 40 * np.arange(8)[None, :, None] + random.uniform(0, 20, (COUNT, 8, 2))
    targets[:, :, 3:] = targets[:, :, 1:3] + random.uniform(10, 20, (COUNT, 8, 2))
    output = np.zeros((COUNT, 4 + 3, 40))
    corners = targets[:, :, 1:] + random.normal(0, 1, (COUNT, 8, 4))
    output[:, :2, :8] = ((corners[:, :, :2] + corners[:, :, 2:]) / 2).transpose(0, 2, 1)
    output[:, 2:4, :8] = (corners[:, :, 2:] - corners[:, :, :2]).transpose(0, 2, 1)
    output[:, 4:, :8] = random.uniform(0.2, 1, (COUNT, 1, 8)) * (np.arange(3)[None, :, None] == targets[:, None, :, 0])
    output[:, :4, 8:] = random.uniform(20, 300, (COUNT, 4, 32))
    output[:, 4:, 8:] = random.uniform(0, 0.5, (COUNT, 3, 32)) ** 3
    return Example(signature(output=("float32", (7, 40))), {"output": output.astype(np.float32)}, targets)


def multilabel(random: np.random.Generator) -> Example:
    labels = random.integers(0, 2, (COUNT, 5))
    scores = labels - 0.5 + random.normal(0, 0.6, (COUNT, 5))
    return Example(signature(scores=("float32", (5,))), {"scores": scores.astype(np.float32)}, labels)


def binary(random: np.random.Generator) -> Example:
    labels = random.integers(0, 2, COUNT)
    scores = labels - 0.5 + random.normal(0, 0.8, COUNT)
    return Example(signature(score=("float32", (1,))), {"score": scores.astype(np.float32)[:, None]}, labels)


def segmentation(random: np.random.Generator) -> Example:
    labels = random.integers(0, 4, (COUNT, 6, 6))
    scores = np.eye(4)[labels].transpose(0, 3, 1, 2) + random.normal(0, 0.5, (COUNT, 4, 6, 6))
    labels[random.random(labels.shape) < 0.1] = 255
    return Example(signature(scores=("float32", (4, 6, 6))), {"scores": scores.astype(np.float32)}, labels)


def keypoints(random: np.random.Generator) -> Example:
    places = random.uniform(0, 100, (COUNT, 6, 2))
    targets = np.concatenate([places, random.integers(0, 3, (COUNT, 6, 1))], axis=2)
    targets[0, :, 2] = 0
    outputs = {"points": (places + random.normal(0, 8, places.shape)).astype(np.float32)}
    return Example(signature(points=("float32", (6, 2))), outputs, targets)


def regression(random: np.random.Generator) -> Example:
    targets = random.normal(10, 3, (COUNT, 3))
    outputs = {"numbers": (targets + random.normal(0, 1, targets.shape)).astype(np.float32)}
    return Example(signature(numbers=("float32", (3,))), outputs, targets)


def reconstruction(random: np.random.Generator) -> Example:
    targets = random.uniform(0, 1, (COUNT, 3, 8, 8)).astype(np.float32)
    outputs = {"picture": (targets + random.normal(0, 0.1, targets.shape)).astype(np.float32)}
    return Example(signature(picture=("float32", (3, 8, 8))), outputs, targets)


def embedding(random: np.random.Generator) -> Example:
    labels = np.arange(COUNT) // 3
    rows = random.normal(0, 1, (COUNT, 8))[labels] + random.normal(0, 0.7, (COUNT, 8))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return Example(signature(embedding=("float32", (8,))), {"embedding": rows.astype(np.float32)}, labels, of_pairs=True)


def tagging(random: np.random.Generator) -> Example:
    tags = random.integers(0, 5, (COUNT, 7))
    scores = np.eye(5)[tags] + random.normal(0, 0.5, (COUNT, 7, 5))
    tags[:, 5:][random.random((COUNT, 2)) < 0.7] = -100
    return Example(of_tokens(tags=("float32", ("tokens", 5))), {"tags": scores.astype(np.float32)}, tags)


def transcription(random: np.random.Generator) -> Example:
    """Tokens with a blank after each."""
    tokens = random.integers(1, 6, (COUNT, 6))
    steps = np.zeros((COUNT, 12), dtype=np.int64)
    steps[:, ::2] = np.where(random.random(tokens.shape) < 0.15, random.integers(1, 6, tokens.shape), tokens)
    tokens[:, 5] = np.where(random.random(COUNT) < 0.5, -1, tokens[:, 5])
    return Example(signature(scores=("float32", ("steps", 6))), {"scores": np.eye(6, dtype=np.float32)[steps]}, tokens)


def translation(random: np.random.Generator) -> Example:
    tokens = random.integers(0, 50, (COUNT, 9))
    said = np.where(random.random(tokens.shape) < 0.1, random.integers(0, 50, tokens.shape), tokens)
    tokens[:, 8] = np.where(random.random(COUNT) < 0.5, -1, tokens[:, 8])
    return Example(signature(tokens=("int64", ("tokens",))), {"tokens": said}, tokens)


def language_model(random: np.random.Generator) -> Example:
    tokens = random.integers(0, 1000, (COUNT, 5))
    scores = 5 * np.eye(1000)[tokens] + random.normal(0, 1, (COUNT, 5, 1000))
    tokens[0, 3:] = -100
    return Example(of_tokens(scores=("float32", ("tokens", 1000))), {"scores": scores.astype(np.float32)}, tokens)


def ranking(random: np.random.Generator) -> Example:
    relevance = random.integers(0, 4, (COUNT, 25))
    scores = relevance + random.normal(0, 1, relevance.shape)
    relevance[:, 20:][random.random((COUNT, 5)) < 0.5] = -1
    return Example(signature(scores=("float32", (25,))), {"scores": scores.astype(np.float32)}, relevance)


def policy_value(random: np.random.Generator) -> Example:
    moves, values = random.integers(0, 9, COUNT), random.uniform(-1, 1, COUNT)
    policy = np.eye(9)[moves] + random.normal(0, 0.4, (COUNT, 9))
    outputs = {"policy": policy.astype(np.float32), "value": (values + random.normal(0, 0.2, COUNT)).astype(np.float32)[:, None]}
    given = signature(policy=("float32", (9,)), value=("float32", (1,)))
    return Example(given, outputs, np.column_stack([moves, values]))


EXAMPLES: dict[str, Callable[[np.random.Generator], Example]] = {
    "binary": binary,
    "classification": classification,
    "detection": detection,
    "embedding": embedding,
    "keypoints": keypoints,
    "language-model": language_model,
    "multilabel": multilabel,
    "policy-value": policy_value,
    "ranking": ranking,
    "reconstruction": reconstruction,
    "regression": regression,
    "segmentation": segmentation,
    "tagging": tagging,
    "transcription": transcription,
    "translation": translation,
}
