"""Every reader of users' data that is found passes the contract, on data that are made here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import toolkit.pipeline.data
from tests.pipeline.data.contract import Example, check_reader
from toolkit.core import DataError, Signature, TensorSpec, UnknownNameError
from toolkit.pipeline.data import Given, all_readers, find_reader

ROWS = Signature((TensorSpec("x", "float32", ("batch", 4)),), (TensorSpec("y", "float32", ("batch", 3)),))
DIGITS = Signature((TensorSpec("image", "float32", ("batch", 1, 8, 8)),), (TensorSpec("logits", "float32", ("batch", 10)),))


def write(file: Path, content: bytes) -> None:
    file.write_bytes(content)


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


EXAMPLES: dict[str, Callable[[Path], Example]] = {"arrays": arrays, "named": named, "python": python}


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
