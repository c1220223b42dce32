"""What a manifest keeps of how pictures were prepared is understood by whoever shows, draws or checks them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.pipeline.data.pictures import picture
from tests.tiny import tiny_artifact
from toolkit.core import Artifact, Preprocessing, Signature, SignatureError, TensorSpec
from toolkit.pipeline.data._preparation import Preparation, picture_input
from toolkit.pipeline.debug.run import _range
from toolkit.pipeline.evaluate.base import pixels_of
from toolkit.pipeline.export.web.site import _image

NCHW = Signature((TensorSpec("x", "float32", ("batch", 3, 16, 24)),), (TensorSpec("y", "float32", ("batch", 10)),))
NHWC = replace(NCHW, inputs=(TensorSpec("x", "float32", ("batch", 16, 24, 3)),))
WAYS = {
    "usual": Preparation(mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4)),
    "raw values": Preparation(scale=1.0, mean=(120.0, 110.0, 100.0), std=(60.0, 50.0, 40.0)),
    "blue first": Preparation(channels="bgr", scale="1/127.5", mean=1.0),
}


def artifact(folder: Path, signature: Signature, way: str) -> Artifact:
    about = picture_input(signature, WAYS[way], None, fit="stretch")
    own = tiny_artifact(folder)
    return replace(own, manifest=replace(own.manifest, signature=signature, preprocessing=about.preprocessing))


@pytest.mark.parametrize("way", WAYS)
def test_prepared_pictures_are_shown_as_they_were(way: str, tmp_path: Path) -> None:
    about = picture_input(NCHW, WAYS[way], None, fit="stretch")
    (shown,) = pixels_of(about.array(picture(3))[None], artifact(tmp_path, NCHW, way))  # type: ignore[misc]
    raw = picture_input(NHWC, Preparation(scale="1/255"), None, fit="stretch").array(picture(3))
    assert shown == pytest.approx(raw, abs=1e-5)


@pytest.mark.parametrize("way", WAYS)
def test_random_inputs_keep_to_the_range_of_pixels(way: str, tmp_path: Path) -> None:
    bounds = _range(artifact(tmp_path, NCHW, way))
    assert bounds is not None
    about = picture_input(NCHW, WAYS[way], None, fit="stretch")
    black, white = (about.array(picture(0).point(lambda _, value=value: value)) for value in (0, 255))
    assert [row.flat[0] for row in bounds.inputs["x"]] == pytest.approx([black.min(), white.max()], rel=1e-5)


def test_a_page_with_a_camera_prepares_alike() -> None:
    about = picture_input(NCHW, WAYS["raw values"], None, fit="stretch")
    image = _image(NCHW, about.preprocessing)
    assert image is not None
    pixels = np.moveaxis(picture_input(NHWC, Preparation(scale="1/255"), None, fit="stretch").array(picture(3)), -1, 0)
    mean, std = (np.reshape(values, (3, 1, 1)) for values in (image.mean, image.std))
    assert (pixels - mean) / std == pytest.approx(about.array(picture(3)), abs=1e-4)
    assert _image(NCHW, picture_input(NCHW, WAYS["blue first"], None, fit="stretch").preprocessing) is None


def test_channels_are_counted_where_they_stand(tmp_path: Path) -> None:
    artifact(tmp_path, NHWC, "usual").manifest.check_itself()
    own = artifact(tmp_path, NCHW, "usual").manifest
    own.check_itself()
    with pytest.raises(SignatureError, match="the preprocessing fits no image of the model"):
        replace(own, preprocessing=Preprocessing(mean=(0.1, 0.2), std=(1.0,))).check_itself()
