"""The contract of embedders: a file with its preparation inside answers a picture as the file before it answers what Python prepared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolkit.converters.base import Node
from toolkit.converters.embedding import Embedder, Picture, all_embedders, find_embedder
from toolkit.converters.task import QUIET
from toolkit.core import Artifact, Format, InputError, Precision, Preprocessing, Signature, TensorSpec, run_isolated
from toolkit.pipeline.data._preparation import Preparation, picture_input
from toolkit.pipeline.embed import Task
from toolkit.runtimes import open_session

ABOUT = Preparation(fit="letterbox", pad=31)
SIZES = ((8, 8), (30, 21), (5, 9), (120, 160))


@pytest.fixture(
    scope="module", params=[(each.format, precision) for each in all_embedders() for precision in (Precision.FP32, Precision.INT8)]
)
def pair(request: pytest.FixtureRequest, made: dict[Node, Artifact], tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifact, Artifact]:
    """An artifact, and the same with the preparation of a grey picture out of blue, green and red ones."""
    source = made[Node(*request.param)]
    own = picture_input(source.manifest.signature, ABOUT, None, fit="stretch")
    out = tmp_path_factory.mktemp("embedded") / source.name
    task = Task(str(source.path), str(out), Picture("bgr", own.preprocessing, own.dtype))
    run_isolated("toolkit.pipeline.embed:embed_task", task, environment=QUIET)
    return source, Artifact.load(out)


def test_answers_are_those_of_the_file_before(pair: tuple[Artifact, Artifact]) -> None:
    source, embedded = pair
    own = picture_input(source.manifest.signature, ABOUT, None, fit="stretch")
    with open_session(source) as before, open_session(embedded) as after:
        turned = []
        for seed, size in enumerate(SIZES):
            image = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8))
            blue_first = np.ascontiguousarray(np.asarray(image)[..., ::-1])
            (found,), (expected,) = after.run(blue_first[None]), before.run(own.array(image)[None])
            assert np.abs(found - expected).max() < 1e-4 * max(1, np.abs(expected).max())
            turned.append(np.abs(after.run(np.asarray(image)[None])[0] - expected).max())
        assert max(turned) > 0.1  # Red first is another picture.


def test_the_manifest_says_what_the_file_takes(pair: tuple[Artifact, Artifact]) -> None:
    source, embedded = pair
    (spec,) = embedded.manifest.signature.inputs
    rows = "batch" if find_embedder(source.manifest.format).batches else 1
    assert (spec.name, spec.dtype, spec.shape) == ("picture", "uint8", (rows, "picture_height", "picture_width", 3))
    own = embedded.manifest
    assert (own.parent, own.root) == (source.manifest.content_sha256, source.manifest.root)
    assert (own.preprocessing, own.evidence, own.data, own.details["prepares"]) == (None, (), "", "bgr")
    assert (own.format, own.precision, own.labels) == (source.manifest.format, source.manifest.precision, source.manifest.labels)


@pytest.mark.parametrize("embedder", all_embedders(), ids=lambda each: each.name)
@pytest.mark.parametrize(("shape", "told"), [
    ((4, 1, 8, 8), "takes 4 pictures at a time"),
    (("batch", 64), "no picture becomes the inputs"),
])  # fmt: skip
def test_other_inputs_are_refused(
    embedder: Embedder, shape: tuple[int | str, ...], told: str, made: dict[Node, Artifact], tmp_path: Path
) -> None:
    source = made[Node(embedder.format, Precision.FP32)]
    signature = Signature((TensorSpec("x", "float32", shape),), source.manifest.signature.outputs)
    other = replace(source, manifest=replace(source.manifest, signature=signature))
    about = Preprocessing(size=(8, 8), fit="stretch", channels="gray")
    with pytest.raises(InputError, match=told):
        embedder.embed(other, tmp_path / "out", Picture("gray", about, "float32"))
    assert not (tmp_path / "out").exists()


def test_a_format_without_one() -> None:
    with pytest.raises(InputError, match="pt2 takes no preparation"):
        find_embedder(Format.PT2)
