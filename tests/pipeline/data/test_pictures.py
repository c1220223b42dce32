"""Folders of pictures: prepared as they say, with boxes and masks that follow, in the parts that they name."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.pipeline.data.pictures import BOXES, picture, save, write_coco, write_voc, write_yolo
from toolkit.core import DataError, MissingDependencyError, Preprocessing, Signature, TensorSpec
from toolkit.pipeline.data import Found, Given, Wanted, find_reader
from toolkit.pipeline.data._preparation import Preparation, picture_input

IMAGES = TensorSpec("image", "float32", ("batch", 3, 16, 24))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def signature(spec: TensorSpec = IMAGES, classes: int | str = "classes") -> Signature:
    return Signature((spec,), (TensorSpec("y", "float32", ("batch", classes)),))


def read(word: str, spec: TensorSpec = IMAGES, *, classes: int | str = "classes", labels: tuple[str, ...] = (), **options: object) -> Found:
    given = Given(word=word, **options)  # type: ignore[arg-type]
    return find_reader(word).read(given, Wanted(signature=signature(spec, classes), labels=labels))


def rows(found: Found) -> dict[int, np.ndarray]:
    """Each picture's target by its blue channel, which says its number."""
    assert found.samples.targets is not None
    blue = np.asarray(found.samples.inputs["image"])[:, 2, 6:10].mean(axis=(1, 2)) * 255 / 20
    return {round(float(number)): target for number, target in zip(blue, np.asarray(found.samples.targets), strict=True)}


def photos(folder: Path, counts: dict[str, int]) -> None:
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            save(picture(number), folder / name / f"{number}.png")


def test_a_picture_is_prepared_as_pillow_and_arithmetic_do_it() -> None:
    photos(Path("photos"), {"a": 1, "b": 1})
    Path("prepare.toml").write_text('scale = "1/255"\nmean = [0.4, 0.5, 0.6]\nstd = [0.2, 0.3, 0.4]\nchannels = "bgr"\n')
    found = read("photos/")
    raw = np.asarray(picture(0).resize((24, 16), Image.Resampling.BILINEAR), np.float64)[..., ::-1]
    expected = (raw / 255 - [0.4, 0.5, 0.6]) / [0.2, 0.3, 0.4]
    assert found.samples.inputs["image"][0] == pytest.approx(expected.transpose(2, 0, 1), abs=1e-5)
    assert found.preprocessing == Preprocessing(
        1 / 255, (0.4, 0.5, 0.6), (0.2, 0.3, 0.4), "NCHW", size=(16, 24), fit="stretch", channels="bgr"
    )
    assert found.samples.notes[0].startswith("pictures are stretched to 16 x 24, bgr, (values * 0.00392157 - [0.4, 0.5, 0.6]) / [0.2, 0.3")


@pytest.mark.parametrize(
    ("spec", "shape"),
    [
        (TensorSpec("x", "float32", ("batch", 8, 10, 3)), (2, 8, 10, 3)),
        (TensorSpec("x", "float32", ("batch", 1, 8, 10)), (2, 1, 8, 10)),
        (TensorSpec("x", "uint8", ("batch", 8, 10, 1), "NHWC"), (2, 8, 10, 1)),
        (TensorSpec("x", "float16", ("batch", 3, 8, 10)), (2, 3, 8, 10)),
    ],
)
def test_the_signature_says_size_layout_and_channels(spec: TensorSpec, shape: tuple[int, ...]) -> None:
    photos(Path("photos"), {"a": 1, "b": 1})
    found = read("photos", spec)
    array = found.samples.inputs["x"]
    assert (array.shape, array.dtype) == (shape, np.dtype(spec.dtype))
    assert found.samples.targets is not None
    assert found.samples.targets.tolist() == [0, 1]
    assert float(array.max()) == pytest.approx(255 if spec.dtype == "uint8" else 1, rel=0.2)


def test_free_sizes_are_asked_for() -> None:
    photos(Path("photos"), {"a": 1, "b": 1})
    spec = TensorSpec("image", "float32", ("batch", 3, "height", "width"))
    with pytest.raises(DataError, match=r"has no fixed height and width; say them in prepare.toml: size = \[HEIGHT, WIDTH\]"):
        read("photos", spec)
    Path("mine.toml").write_text("size = 12")
    assert read("photos", spec, prepare="mine.toml").samples.inputs["image"].shape == (2, 3, 12, 12)


@pytest.mark.parametrize("fit", ["stretch", "letterbox", "crop"])
def test_boxes_and_masks_follow_the_picture(fit: str) -> None:
    """A white field on black, as a box and as a mask: where the white is, there they are."""
    image, mask = Image.new("RGB", (60, 30)), Image.new("L", (60, 30))
    box = (20, 10, 44, 25)
    for each, value in ((image, (255, 255, 255)), (mask, 1)):
        each.paste(value, box)
    spec = TensorSpec("x", "float32", ("batch", 3, 48, 48))
    about = picture_input(signature(spec), Preparation(fit=fit, pad=0), None, fit="stretch")  # type: ignore[arg-type]
    array = about.array(image)[0]
    (moved,) = about.placement(60, 30).boxes(np.array([[0, *box]]), width=48, height=48)
    down, across = np.nonzero(array > 0.5)
    assert moved[1:] == pytest.approx([across.min(), down.min(), across.max() + 1, down.max() + 1], abs=1)
    down, across = np.nonzero(about.mask(mask) == 1)
    assert moved[1:] == pytest.approx([across.min(), down.min(), across.max() + 1, down.max() + 1], abs=1)
    assert (255 in about.mask(mask)) == (fit == "letterbox"), "what no picture covers is ignored"
    outside = about.placement(60, 30).boxes(np.array([[0.0, -9, -9, -1, -1]]), width=48, height=48)
    assert (len(outside), outside.shape) == (0, (0, 5))


def test_coco_and_yolo_tell_the_same_boxes() -> None:
    write_coco(Path("coco/pictures"), Path("coco"))
    write_yolo(Path("yolo"))
    Path("prepare.toml").write_text('fit = "letterbox"\n')
    Path("yolo/data.yaml").write_text("train: images\nnames:\n  0: cat\n  1: dog  # and wolves\n")
    shutil.copy("prepare.toml", "coco")
    first, second = read("coco/pictures"), read("yolo")
    assert first.labels == second.labels == ("cat", "dog")
    one, other = rows(first), rows(second)
    assert one.keys() == other.keys() == BOXES.keys()
    for number, boxes in BOXES.items():
        assert one[number].shape == (2, 5)
        assert one[number] == pytest.approx(other[number], abs=1e-4)
        assert (one[number][:, 0] >= 0).sum() == len(boxes)
        # 40 x 20 in 16 x 24: times 0.6, 12 of 16 rows, 2 of them above.
        assert one[number][: len(boxes)] == pytest.approx(
            np.array([[k, 0.6 * x, 0.6 * y + 2, 0.6 * (x + w), 0.6 * (y + h) + 2] for k, x, y, w, h in boxes]).reshape(-1, 5), abs=1e-4
        )


def test_masks_are_palette_indices_and_255_stays_so() -> None:
    write_voc(Path("VOC2012"))
    found = read("VOC2012")
    assert found.samples.targets is not None
    for mask in found.samples.targets:
        assert (mask.dtype, mask.shape) == (np.int64, (16, 24))
        assert (mask[:, :10] == 1).all()
        assert (mask[:, 14:] == 2).all()
        assert (mask[:, 12] == 255).all()


def test_named_parts_are_respected() -> None:
    photos(Path("photos/train"), {"a": 6, "b": 6})
    photos(Path("photos/val"), {"a": 2, "b": 3})
    write_yolo(Path("yolo"), "train")
    write_yolo(Path("yolo"), "val")
    write_coco(Path("coco/train"))
    write_coco(Path("coco/valid"))
    write_voc(Path("voc"))
    (sets := Path("voc/ImageSets/Segmentation")).mkdir(parents=True)
    (sets / "train.txt").write_text("1\n2\n3\n4\n")
    (sets / "val.txt").write_text("5\n6\n")
    counts = {word: read(word) for word in ("photos", "yolo", "coco", "voc")}
    assert {word: (len(found.samples), len(found.tests or ())) for word, found in counts.items()} == {
        "photos": (12, 5),
        "yolo": (9, 9),
        "coco": (9, 9),
        "voc": (4, 2),
    }
    given = Wanted(signature=signature(), calibration=4, evaluation=3)
    few = find_reader("photos").read(Given(word="photos"), given)
    assert few.tests is not None
    assert (len(few.samples), len(few.tests)) == (4, 3), "no more is decoded than is used"
    assert few.samples.targets is not None
    assert sorted(few.samples.targets) == [0, 0, 1, 1], "and each class has its share"


def test_classes_are_numbered_as_the_network_has_them() -> None:
    photos(Path("photos"), {"cat": 1, "dog": 1})
    targets = read("photos", labels=("dog", "emu", "cat")).samples.targets
    assert targets is not None
    assert sorted(targets) == [0, 2]
    with pytest.raises(DataError, match="has 2 folders, and the network 3 classes: expected a folder for each class"):
        read("photos", classes=3)
    Path("photos/emu").mkdir()
    assert read("photos", classes=3).labels == ("cat", "dog", "emu")
    photos(Path("numbers"), {"10": 1, "2": 1})
    targets = read("numbers", classes=20).samples.targets
    assert targets is not None
    assert sorted(targets) == [2, 10]


def test_pictures_without_classes_have_no_targets() -> None:
    save(picture(1), Path("photos/1.jpg"))
    save(picture(2), Path("photos/2.jpg"))
    found = read("photos")
    assert (len(found.samples), found.samples.targets) == (2, None)


def test_no_more_pictures_than_asked_for() -> None:
    photos(Path("photos"), {"a": 8, "b": 4})
    found = read("photos", max_samples=6)
    assert found.samples.targets is not None
    assert sorted(found.samples.targets) == [0, 0, 0, 0, 1, 1]
    assert found.samples.notes[1] == "6 of 12 pictures are taken (--max-samples)"


def test_a_picture_that_changed_is_read_again() -> None:
    photos(Path("photos"), {"a": 1, "b": 1})
    before = read("photos").samples.sha256
    save(picture(5), Path("photos/a/0.png"))
    os.utime("photos/a/0.png", ns=(0, 0))
    assert read("photos").samples.sha256 != before


BAD = {
    "size = [3, 4, 5]": "prepare.toml' cannot be read",
    "sise = 3": "prepare.toml' says 'sise': expected one of size, fit, channels, scale, mean, std, layout, dtype, pad",
    "size = 20": "expected pictures of 16 x 24, got size 20 x 20",
    "scale = 'x'": "scale = 'x': expected a number, such as 0.5 or '1/255'",
    "mean = nan": "mean and std: expected numbers",
    "scale = inf": "scale = 'inf': expected a number",
    "mean = [1.0, 2.0]": "mean: expected one number, or 3, got 2",
    "std = 0.0": "mean and std: expected numbers, those of std above 0",
    "channels = 'gray'": r"a picture in gray does not fill image:float32\[batch,3,16,24\] as NCHW",
    "layout = 'NHWC'": "a picture in .* does not fill",
    "fit = 'squeeze'": "cannot be read: Invalid enum value 'squeeze'",
    "dtype = 'int8'": "expected float32, float16 or uint8, for pictures, got int8",
    "size = ": "cannot be read: no TOML",
}


@pytest.mark.parametrize("text", BAD)
def test_a_wrong_preparation_is_one_line(text: str) -> None:
    photos(Path("photos"), {"a": 1, "b": 1})
    Path("photos/prepare.toml").write_text(text)
    with pytest.raises(DataError, match=BAD[text]) as caught:
        read("photos")
    assert len(str(caught.value).splitlines()) == 1


def test_labels_without_their_picture_are_named() -> None:
    write_yolo(Path("yolo"))
    Path("yolo/images/4.jpg").unlink()
    with pytest.raises(DataError, match=r"'yolo/labels/4\.txt' has labels, and there is no picture '4' in 'yolo/images'"):
        read("yolo")
    write_coco(Path("coco"))
    Path("coco/4.jpg").unlink()
    with pytest.raises(DataError, match=r"'coco/annotations\.json' has labels for '4\.jpg', and there is no such picture"):
        read("coco")
    with pytest.raises(DataError, match=r"no samples at 'nowhere/data\.yaml'"):
        read("nowhere/data.yaml")
    (empty := Path("empty/labels")).mkdir(parents=True)
    Path("empty/images").mkdir()
    with pytest.raises(DataError, match="no pictures in 'empty'"):
        read(str(empty.parent))


def test_other_inputs_and_what_is_missing_say_what_to_do() -> None:
    photos(Path("photos"), {"a": 1, "b": 1})
    with pytest.raises(DataError, match=r"pictures do not fill the inputs of this network.*write a loader in Python"):
        read("photos", TensorSpec("x", "float32", ("batch", 4)))
    with pytest.raises(DataError, match=r"data 'photos' take no --column"):
        read("photos", columns=("a=b",))


def test_without_pillow_the_command_that_installs_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    photos(Path("photos"), {"a": 1, "b": 1})
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingDependencyError, match=r"run: pip install .*\[pictures\]"):
        read("photos")
