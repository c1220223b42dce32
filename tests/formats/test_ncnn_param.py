from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from toolkit.core import ArtifactError
from toolkit.formats.parts.ncnn_param import parse_ncnn, read_ncnn

FILE = Path("model.param")
GOOD = """7767517
6 7
Input ids 0 1 ids 0=7
Input image 0 1 image 0=5 1=4 2=3
Split s 1 2 ids a b
Embed e 1 1 a rows 0=6 1=20 3=120
Reshape r 1 1 image flat 0=60 6="0w,-1" -23302=2,1,-1
BinaryOp last 2 1 rows flat both 0=0 1=1.5e-1 -23330=4,2,6,7,1
"""


def test_a_graph_is_read_and_written() -> None:
    graph = parse_ncnn(GOOD, FILE)
    assert graph.text() == GOOD
    assert graph.inputs == ("ids", "image")
    assert graph.outputs == ("b", "both")
    assert graph.integer_inputs == {"ids"}
    assert graph.shapes == {"ids": (7,), "image": (3, 4, 5), "both": (7, 6)}


def test_shapes_are_written_and_read_back() -> None:
    shapes = {"ids": (7,), "image": (2, 3, 4, 5), "b": (7,), "both": ()}
    graph = parse_ncnn(GOOD, FILE).with_shapes(shapes)
    assert parse_ncnn(graph.text(), FILE).shapes == shapes


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("7767517\n6", "7767516\n6", "7767517 in its first line"),
        ("6 7\n", "6 seven\n", "how many layers and blobs"),
        ("6 7\n", "5 7\n", "5 layers and 7 blobs"),
        ("6 7\n", "6 8\n", "6 layers and 8 blobs"),
        ("Split s 1 2 ids a b\n", "", "blob made once and before it is read"),
        ("Split s 1 2 ids a b", "Split s 1 2 ids a a", "blob made once"),
        ("Split s 1 2 ids a b", "Split s 2 2 ids image a b", "a layer"),
        ("rows flat both", "rows gone both", "before it is read"),
        ("BinaryOp last 2 1", "BinaryOp last 2 99", "a layer"),
        ("BinaryOp last 2 1", "BinaryOp last -2 1", "a layer"),
        ("0=6 1=20", "0=6 32=20", "a layer"),
        ("0=6 1=20", "0=6 0=20", "a layer"),
        ("0=6 1=20", "0=6 1=99999999999", "a layer"),
        ("0=6 1=20", "0=6 1=x", "a layer"),
        ("-23330=4,2", "-23330=5,2", "a layer"),
        ("-23302=2", "-24302=2", "a layer"),
        ("Input ids 0 1 ids", "Input ids 0 1 " + "i" * 300, "a layer"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(old: str, new: str, expected: str) -> None:
    assert old in GOOD
    with pytest.raises(ArtifactError, match=expected) as caught:
        parse_ncnn(GOOD.replace(old, new), FILE)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_cut_anywhere_is_seen() -> None:
    for size in range(len(GOOD)):
        with pytest.raises(ArtifactError, match=r"model\.param"):
            parse_ncnn(GOOD[:size], FILE)


def test_damage_is_an_error_of_ours_or_none() -> None:
    random = Random(1)
    for _ in range(2000):
        text = [*GOOD]
        for _ in range(random.randint(1, 4)):
            text[random.randrange(len(text))] = random.choice('\n 0123456789,=-."eE\x00é')
        try:
            parse_ncnn("".join(text), FILE)
        except ArtifactError:
            continue


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / "model.param"
    for content in (b"", b"\xff\xfe" * 50, b"\0" * 100):
        file.write_bytes(content)
        with pytest.raises(ArtifactError, match="is no ncnn network"):
            read_ncnn(file)
