"""Every reader of users' data that is found passes the contract, on data that are made here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import toolkit.pipeline.data
from tests.pipeline.data.contract import Example, check_reader
from tests.pipeline.data.pictures import picture, save, write_coco, write_voc, write_yolo
from tests.pipeline.data.recordings import write_recordings
from toolkit.core import DataError, Signature, TensorSpec, UnknownNameError
from toolkit.pipeline.data import Given, all_readers, find_reader

ROWS = Signature((TensorSpec("x", "float32", ("batch", 4)),), (TensorSpec("y", "float32", ("batch", 3)),))
PICTURES = Signature((TensorSpec("image", "float32", ("batch", 3, 16, 24)),), (TensorSpec("y", "float32", ("batch", 3)),))
DIGITS = Signature((TensorSpec("image", "float32", ("batch", 1, 8, 8)),), (TensorSpec("logits", "float32", ("batch", 10)),))


def write(file: Path, content: bytes) -> None:
    file.write_bytes(content)


def remove(file: Path) -> None:
    file.unlink()


def arrays(folder: Path) -> Example:
    file = folder / "samples.npz"
    np.savez(file, x=np.random.default_rng(0).random((20, 4), dtype=np.float32), targets=np.arange(20) % 3)
    return Example(Given(word="samples.npz"), ROWS, lambda: write(file, b"PK\3\4 cut"), "samples.npz' cannot be read")


def named(_folder: Path) -> Example:
    return Example(Given(word="digits"), DIGITS)


LOADER = """
import numpy as np

def load():
    random = np.random.default_rng(0)
    for row in range(20):
        yield {"x": random.random(4, dtype=np.float32), "y": row % 3}
"""


def python(folder: Path) -> Example:
    (file := folder / "mydata.py").write_text(LOADER)
    broken = LOADER + "        if row == 7: raise OSError('the disk is gone')\n"
    return Example(Given(word="mydata.py:load"), ROWS, lambda: write(file, broken.encode()), "raised OSError: the disk is gone")


def folder(folder: Path) -> Example:
    for number, name in enumerate(["cat", "dog", "emu"] * 3):
        save(picture(number), folder / "photos" / name / f"{number}.jpg")
    file = folder / "photos" / "dog" / "1.jpg"
    return Example(Given(word="photos"), PICTURES, lambda: write(file, file.read_bytes()[:-60]), r"dog/1\.jpg' cannot be read as a picture")


def coco(folder: Path) -> Example:
    content = write_coco(folder / "photos")
    content["annotations"][1]["bbox"] = [1, 2, 3]
    file = folder / "photos" / "annotations.json"
    return Example(Given(word="photos"), PICTURES, lambda: write(file, json.dumps(content).encode()), "has a box of picture 2 that is none")


def yolo(folder: Path) -> Example:
    write_yolo(folder / "set")
    file = folder / "set" / "labels" / "3.txt"
    return Example(Given(word="set"), PICTURES, lambda: write(file, b"0 .5 .5 .2"), r"labels/3\.txt' line 1: expected a class number")


def voc(folder: Path) -> Example:
    write_voc(folder / "VOC2012")
    file = folder / "VOC2012" / "JPEGImages" / "2.jpg"
    return Example(Given(word="VOC2012"), PICTURES, lambda: remove(file), r"names '2', and there is no '.*2\.\*'")


def csv(folder: Path) -> Example:
    rows = [f"{n},{n / 7},{-n},{n * n},{'abc'[n % 3]}" for n in range(20)]
    (file := folder / "table.csv").write_text("\n".join(["p,q,r,s,target", *rows]))
    broken = "\n".join(["p,q,r,s,target", *rows[:9], "1,2,oops,4,a"])
    return Example(
        Given(word="table.csv"),
        ROWS,
        lambda: write(file, broken.encode()),
        r"table.csv' line 11, column 'r': expected a number, got 'oops'",
    )


def jsonl(folder: Path) -> Example:
    rows = [json.dumps({"x": [n, n + 0.5, -n, 1], "label": n % 3}) for n in range(20)]
    (file := folder / "table.jsonl").write_text("\n".join(rows))
    return Example(
        Given(word="table.jsonl", target="label"), ROWS, lambda: write(file, b'{"x": [1'), "table.jsonl' cannot be read as a table"
    )


def parquet(folder: Path) -> Example:
    arrow, tables = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    file = folder / "table.parquet"
    columns = {name: np.random.default_rng(0).random(20) for name in "pqrs"} | {"y": np.arange(20) % 3}
    tables.write_table(arrow.table(columns), file)
    return Example(
        Given(word="table.parquet"), ROWS, lambda: write(file, file.read_bytes()[:-9]), "table.parquet' cannot be read as a table"
    )


def audio(folder: Path) -> Example:
    waves = [np.random.default_rng(number).uniform(-0.9, 0.9, 4) for number in range(20)]
    write_recordings(folder / "audio", waves, ["abc"[number % 3] for number in range(20)])
    file = folder / "audio" / "7.wav"
    return Example(Given(word="audio"), ROWS, lambda: write(file, file.read_bytes()[:-2]), r"audio/7\.wav' cannot be read .* cut short")


EXAMPLES: dict[str, Callable[[Path], Example]] = {
    "arrays": arrays,
    "audio": audio,
    "coco": coco,
    "csv": csv,
    "folder": folder,
    "jsonl": jsonl,
    "named": named,
    "parquet": parquet,
    "python": python,
    "voc": voc,
    "yolo": yolo,
}


def test_every_file_of_the_folder_is_a_reader_with_an_example() -> None:
    files = {file.stem for file in Path(toolkit.pipeline.data.__file__).parent.glob("*.py")}
    assert {name for name in files if not name.startswith("_")} - {"base"} == {each.name for each in all_readers()} == set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_contract(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()
    reader = next(each for each in all_readers() if each.name == name)
    check_reader(reader, EXAMPLES[name](tmp_path / "data"), tmp_path / "data")


def test_what_nobody_knows_says_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown data set 'digitz'.*did you mean 'digits'\? there is no such file or folder"):
        find_reader("digitz")
    (tmp_path / "x.docx").write_bytes(b"")
    with pytest.raises(DataError, match=r"cannot tell what kind of data '.*x\.docx' is: expected one of: a \.npz or \.npy file"):
        find_reader(str(tmp_path / "x.docx"))
