"""Each task's data in every form that the commands take, with a network that answers them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.pipeline.data.recordings import write_recordings
from tests.tasks.examples import EXAMPLES
from toolkit.core import Samples, Signature, TensorSpec

SETS = 8
FORMS = ("npz", "table", "python")
_SIDE, _CELLS, _PICTURES, _LOUD = 64, 40, 96, 0.5
"""Pixels and cells of a detector, pictures of a set, and how loud a token is."""


@dataclass(frozen=True)
class Case:
    """Samples of a task and the network that they are for; both lie in the folder that the test is in.

    Args:
        inputs: by the network's names.
        targets: as the task has them.
        table: writes them as the folder or the table that such data usually are, and returns what ``--data`` calls it.
    """

    inputs: dict[str, np.ndarray]
    targets: np.ndarray
    table: Callable[[], str]

    @property
    def signature(self) -> Signature:
        """The network's inputs."""
        inputs = tuple(TensorSpec(name, "float32", ("batch", *array.shape[1:])) for name, array in self.inputs.items())
        return Signature(inputs, (TensorSpec("y", "float32", ("batch", 3)),))

    def given(self, form: str) -> str:
        """The samples in this form; what ``--data`` calls them."""
        if form == "table":
            return self.table()
        Samples(self.inputs, self.targets).save(Path("s.npz"))
        if form == "npz":
            return "s.npz"
        Path("mydata.py").write_text("import numpy as np\n\n\ndef load():\n    return dict(np.load('s.npz'))\n")
        return "mydata.py:load"


def case_of(name: str) -> Case:
    """A task's case; its network is ``net.onnx``."""
    return _PICTURED[name]() if name in _PICTURED else _by_numbers(name)


def _by_numbers(name: str) -> Case:
    """A network that gives its inputs back, so that the samples say what comes out."""
    drawn = [EXAMPLES[name](np.random.default_rng(seed)) for seed in range(SETS)]
    outputs = {output: np.concatenate([each.outputs[output] for each in drawn]) for output in drawn[0].outputs}
    targets = np.concatenate([each.targets for each in drawn])
    targets = targets.astype(np.float32) if targets.dtype == np.float64 else targets
    if name == "translation":  # Whole numbers cannot be quantized: scores whose largest is the token.
        outputs = {"tokens": np.eye(50, dtype=np.float32)[outputs["tokens"]]}
    _network({f"{output}_in": array.shape[1:] for output, array in outputs.items()}, dict.fromkeys(outputs, ""))
    inputs = {f"{output}_in": array for output, array in outputs.items()}
    write = {"binary": _csv, "regression": _csv, "transcription": _recordings}.get(name, _json_lines)
    if name == "transcription":
        steps = outputs["scores"].reshape(len(targets), -1) * np.float32(_LOUD)
        inputs = {"sound": steps}
        _network({"sound": steps.shape[1:]}, {"scores": "sound"}, reshape=outputs["scores"].shape[1:])
    return Case(inputs, targets, lambda: write(inputs, targets))


def _network(inputs: dict[str, tuple[int, ...]], outputs: dict[str, str], *, reshape: tuple[int, ...] = ()) -> None:
    """Each output is its input times the identity along the last axis."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights, given, results = [], [], [], []
    for name, said in outputs.items():
        source = said or f"{name}_in"
        shape = inputs[source]
        given.append(helper.make_tensor_value_info(source, TensorProto.FLOAT, ["batch", *shape]))
        results.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *(reshape or shape)]))
        if reshape:
            weights.append(numpy_helper.from_array(np.array([-1, *reshape]), "shape"))
            nodes.append(helper.make_node("Reshape", [source, "shape"], [f"{name}_shaped"]))
        last = (reshape or shape)[-1]
        weights.append(numpy_helper.from_array(np.eye(last, dtype=np.float32), f"{name}_w"))
        nodes.append(helper.make_node("MatMul", [f"{name}_shaped" if reshape else source, f"{name}_w"], [name]))
    graph = helper.make_graph(nodes, "net", given, results, weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), "net.onnx")


def _json_lines(inputs: dict[str, np.ndarray], targets: np.ndarray) -> str:
    rows = (
        {**{name: array[row].tolist() for name, array in inputs.items()}, "target": targets[row].tolist()} for row in range(len(targets))
    )
    Path("table.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return "table.jsonl"


def _csv(inputs: dict[str, np.ndarray], targets: np.ndarray) -> str:
    """Of one input of some columns; several targets are a list, which only JSON has."""
    if targets.ndim > 1:
        return _parquet(inputs, targets)
    (values,) = inputs.values()
    lines = [
        ",".join([*(f"{value!r}" for value in row.tolist()), str(target)]) for row, target in zip(values, targets.tolist(), strict=True)
    ]
    Path("table.csv").write_text("\n".join([",".join([*(f"x{place}" for place in range(values.shape[1])), "target"]), *lines]))
    return "table.csv"


def _parquet(inputs: dict[str, np.ndarray], targets: np.ndarray) -> str:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:  # Its own test is skipped then; this one runs with what there is.
        return _json_lines(inputs, targets)
    columns = {**{name: array.tolist() for name, array in inputs.items()}, "target": targets.tolist()}
    parquet.write_table(pa.table(columns), "table.parquet")
    return "table.parquet"


def _recordings(inputs: dict[str, np.ndarray], targets: np.ndarray) -> str:
    (waves,) = inputs.values()
    texts = ["".join("-abcde"[token] for token in row if token >= 0) for row in targets]
    write_recordings(Path("audio"), list(waves), texts)
    Path("audio/prepare.toml").write_text('[target]\ntokens = ["-", "a", "b", "c", "d", "e"]\nsplit = "characters"\n')
    return "audio"


def _pixels(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return random.integers(0, 256, (_PICTURES, *shape), dtype=np.uint8)


def _picture_network(
    shape: tuple[int, ...], output: str, result: tuple[int, ...], nodes: list[tuple[str, list[str], str]], **weights: np.ndarray
) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    given = [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", *shape])]
    results = [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", *result])]
    turned = {"perm": [0, 2, 1, 3]}
    made = [helper.make_node(kind, names, [name], **(turned if kind == "Transpose" else {})) for kind, names, name in nodes]
    graph = helper.make_graph(made, "net", given, results, [numpy_helper.from_array(array, name) for name, array in weights.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), "net.onnx")


def _prepared(pixels: np.ndarray) -> np.ndarray:
    """As pictures are prepared unless somebody says it."""
    return np.ascontiguousarray(pixels.astype(np.float32) * np.float32(1 / 255))


def _save(pixels: np.ndarray, file: Path) -> None:
    from PIL import Image

    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file)


def _classification() -> Case:
    """The class is the colour that a picture has most of."""
    random = np.random.default_rng(0)
    pixels, labels = _pixels(random, (4, 4, 3)) // 2, random.integers(0, 3, _PICTURES)
    pixels[np.arange(_PICTURES), :, :, np.where(random.random(_PICTURES) < 0.1, (labels + 1) % 3, labels)] += 120
    nodes = [("GlobalAveragePool", ["image"], "mean"), ("Flatten", ["mean"], "flat"), ("MatMul", ["flat", "w"], "scores")]
    _picture_network((3, 4, 4), "scores", (3,), nodes, w=np.eye(3, dtype=np.float32))

    def write() -> str:
        for number, label in enumerate(labels):
            _save(pixels[number], Path("photos", str(label), f"{number:03}.png"))
        return "photos"

    return Case({"image": _prepared(pixels.transpose(0, 3, 1, 2))}, labels, write)


def _segmentation() -> Case:
    """The class of a pixel is its strongest colour."""
    random = np.random.default_rng(0)
    pixels = _pixels(random, (6, 6, 3))
    masks = np.where(random.random((_PICTURES, 6, 6)) < 0.1, random.integers(0, 3, (_PICTURES, 6, 6)), pixels.argmax(axis=3))
    _picture_network((3, 6, 6), "scores", (3, 6, 6), [("Conv", ["image", "w"], "scores")], w=np.eye(3, dtype=np.float32)[:, :, None, None])

    def write() -> str:
        for number in range(_PICTURES):
            _save(pixels[number], Path("voc", "JPEGImages", f"{number:03}.png"))
            _save(masks[number].astype(np.uint8), Path("voc", "SegmentationClass", f"{number:03}.png"))
        return "voc"

    return Case({"image": _prepared(pixels.transpose(0, 3, 1, 2))}, masks, write)


def _detection() -> Case:
    """The first pixels of a picture are what a detector says of it: centres and sizes of boxes, and scores of three classes."""
    random = np.random.default_rng(0)
    low, size = random.integers(0, 30, (_PICTURES, 3, 2)), 2 * random.integers(4, 15, (_PICTURES, 3, 2))
    labels, pixels = random.integers(0, 3, (_PICTURES, 3)), np.zeros((_PICTURES, _SIDE, _SIDE), np.uint8)
    moved = low + size // 2 + random.integers(-1, 2, low.shape)
    pixels[:, 0:2, :3], pixels[:, 2:4, :3] = moved.transpose(0, 2, 1), size.transpose(0, 2, 1)
    for place in range(3):
        pixels[np.arange(_PICTURES), 4 + labels[:, place], place] = random.integers(80, 255, _PICTURES)
    targets = np.concatenate([labels[:, :, None], low, low + size], axis=2).astype(np.float32)
    ends = {"start": np.array([0, 0]), "stop": np.array([7, _CELLS]), "axes": np.array([2, 3]), "two": np.array([2])}
    nodes = [
        ("Slice", ["image", "start", "stop", "axes"], "part"),
        ("Transpose", ["part"], "channels"),
        ("Conv", ["channels", "w"], "wide"),
        ("Squeeze", ["wide", "two"], "boxes"),
    ]
    weight = np.diag([255.0] * 4 + [1.0] * 3).astype(np.float32)[:, :, None, None]
    _picture_network((1, _SIDE, _SIDE), "boxes", (7, _CELLS), nodes, w=weight, **ends)

    def write() -> str:
        for number in range(_PICTURES):
            _save(pixels[number], Path("coco", f"{number:03}.png"))
        boxes = [(image, *place) for image, each in enumerate(zip(labels, low, size, strict=True)) for place in zip(*each, strict=True)]
        annotations = [
            {"image_id": image, "category_id": int(label), "bbox": [*map(int, at), *map(int, sides)]} for image, label, at, sides in boxes
        ]
        images = [{"id": number, "file_name": f"{number:03}.png"} for number in range(_PICTURES)]
        categories = [{"id": number, "name": name} for number, name in enumerate(("cat", "dog", "emu"))]
        Path("coco/annotations.json").write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
        return "coco"

    return Case({"image": _prepared(pixels[:, None])}, targets, write)


_PICTURED: dict[str, Callable[[], Case]] = {"classification": _classification, "segmentation": _segmentation, "detection": _detection}
