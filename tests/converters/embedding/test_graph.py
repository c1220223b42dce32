"""The preparation's graph against Pillow's own resize: the same bits at every size."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from toolkit.converters.embedding import GIVEN, Picture
from toolkit.converters.embedding._graph import graph
from toolkit.core import Signature, TensorSpec
from toolkit.pipeline.data._preparation import Fit, PictureInput, Preparation, picture_input

FITS: tuple[Fit, ...] = ("stretch", "letterbox", "crop")


def prepares(about: Preparation, *, layout: str = "NCHW", channels: int = 3, dtype: str = "float32") -> PictureInput:
    """The input of a network of this kind, as Python fills it."""
    shape = ("batch", channels, "h", "w") if layout == "NCHW" else ("batch", "h", "w", channels)
    return picture_input(
        Signature((TensorSpec("x", dtype, shape, layout),), (TensorSpec("y", "float32", ("batch", 2)),)), about, None, fit="stretch"
    )


def pictures(size: tuple[int, int], seed: int = 0) -> Image.Image:
    """Noise, in which every second sum of two levels is a tie."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8))


def answered(own: PictureInput, channels: str, image: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """What the graph and Python make of a picture."""
    session = onnxruntime.InferenceSession(graph(Picture(channels, own.preprocessing, own.dtype)).SerializeToString())
    image = image.convert("L") if channels == "gray" else image
    array = np.atleast_3d(np.asarray(image))
    array = array[..., ::-1] if channels == "bgr" else array
    (found,) = session.run(None, {"picture": np.ascontiguousarray(array)[None]})
    return found[0], own.array(image)


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    into=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    fit=st.sampled_from(FITS),
    seed=st.integers(0, 99),
)
def test_levels_are_pillows_bit_for_bit(size: tuple[int, int], into: tuple[int, int], fit: Fit, seed: int) -> None:
    own = prepares(Preparation(size=into, fit=fit, scale=1.0, pad=7))
    found, expected = answered(own, "rgb", pictures(size, seed))
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("size", [(1080, 1920), (3000, 4000), (7, 2000)])
def test_large_pictures(size: tuple[int, int]) -> None:
    own = prepares(Preparation(size=(224, 224), scale=1.0))
    assert np.array_equal(*answered(own, "rgb", pictures(size)))


@pytest.mark.parametrize("channels", GIVEN)
@pytest.mark.parametrize("wanted", GIVEN)
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_channels_and_layout(channels: str, wanted: str, layout: str) -> None:
    about = Preparation(size=(20, 24), fit="letterbox", channels=wanted, scale="1/255", mean=0.3, std=0.2)  # type: ignore[arg-type]
    own = prepares(about, layout=layout, channels=1 if wanted == "gray" else 3)
    assert np.array_equal(*answered(own, channels, pictures((33, 50))))


def test_a_mean_for_each_channel() -> None:
    own = prepares(Preparation(size=16, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6)))
    found, expected = answered(own, "rgb", pictures((30, 20)))
    assert np.abs(found - expected).max() < 2e-6
    assert len({channel.mean().round(3) for channel in found}) == 3


@pytest.mark.parametrize("dtype", ["uint8", "float16"])
def test_other_types(dtype: str) -> None:
    own = prepares(Preparation(size=16), dtype=dtype)
    found, expected = answered(own, "rgb", pictures((30, 20)))
    assert found.dtype == expected.dtype == np.dtype(dtype)
    assert np.array_equal(found, expected)


def test_several_pictures_of_one_size_are_a_batch() -> None:
    own = prepares(Preparation(size=16, scale=1.0))
    session = onnxruntime.InferenceSession(graph(Picture("rgb", own.preprocessing, own.dtype)).SerializeToString())
    images = [pictures((30, 20), seed) for seed in range(3)]
    (found,) = session.run(None, {"picture": np.stack([np.asarray(image) for image in images])})
    assert np.array_equal(found, np.stack([own.array(image) for image in images]))
