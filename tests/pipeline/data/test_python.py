"""What a user's code gives as samples: every usual form, and every way in which it can be wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from toolkit.core import DataError, Signature, StorageError, TensorSpec, cache_home
from toolkit.core.mapped import mapping_of
from toolkit.pipeline.data import Found, Given, Wanted, find_reader
from toolkit.pipeline.data import python as reader
from toolkit.pipeline.data._prepared import _reorder
from toolkit.pipeline.data.python import Task, load_task

ONE = Signature((TensorSpec("x", "float32", ("batch", 4)),), (TensorSpec("y", "float32", ("batch", 3)),))
TWO = Signature((TensorSpec("tokens", "int64", ("batch", "seq")), TensorSpec("mask", "bool", ("batch", "seq"))), ())
X = np.arange(40, dtype=np.float32).reshape(10, 4)
Y = np.arange(10) % 3
HEAD = """
import numpy as np
X = np.arange(40, dtype=np.float32).reshape(10, 4)
Y = np.arange(10) % 3
"""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a process of its own, for what is not about that."""

    def run(_task: str, task: Task, **_options: object) -> None:
        load_task(task)

    monkeypatch.setattr(reader, "run_isolated", run)


def read(code: str, signature: Signature = ONE, **options: object) -> Found:
    Path("mydata.py").write_text(HEAD + code)
    given = Given(word="mydata.py:load", **options)  # type: ignore[arg-type]
    return find_reader(given.word).read(given, Wanted(signature=signature))


FORMS = {
    "samples as dictionaries": "def load():\n    for x, y in zip(X, Y): yield {'x': x, 'y': y}",
    "samples as tuples": "load = list(zip(X, Y))",
    "batches": "def load():\n    for i in range(0, 10, 3): yield X[i:i+3], Y[i:i+3]",
    "batches as dictionaries": "def load():\n    for i in range(0, 10, 3): yield {'x': X[i:i+3], 'targets': Y[i:i+3]}",
    "one dictionary of arrays": "load = {'x': X, 'labels': Y}",
    "a tuple of arrays": "def load(): return X, Y",
    "a class with a length": "class load:\n    def __len__(self): return 10\n    def __getitem__(self, i): return X[i], int(Y[i])",
    "rows by number, as Hugging Face has them": "class Set:\n    def __len__(self): return 10\n"
    "    def __getitem__(self, i): return {'x': X[i].tolist(), 'y': int(Y[i])}\nload = Set()",
}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_samples(form: str) -> None:
    found = read(FORMS[form])
    assert found.samples.targets is not None
    order = np.argsort(np.asarray(found.samples.inputs["x"])[:, 0])
    assert (found.samples.inputs["x"][order] == X).all()
    assert (found.samples.targets[order] == Y).all()
    assert mapping_of(found.samples.inputs["x"]) is not None
    assert found.samples.origin == "mydata.py:load"


def test_torch_data_sets_and_loaders_in_a_process_of_their_own() -> None:
    code = """
import torch
class Set(torch.utils.data.Dataset):
    def __len__(self): return 10
    def __getitem__(self, i): return torch.from_numpy(X[i]), torch.tensor(Y[i])
def load(): return torch.utils.data.DataLoader(Set(), batch_size=4)
data = Set()
"""
    loader = read(code)
    other = find_reader("mydata.py:data").read(Given(word="mydata.py:data"), Wanted(signature=ONE))
    assert loader.samples.sha256 == other.samples.sha256
    assert sorted(loader.samples.inputs["x"][:, 0]) == sorted(X[:, 0])


@pytest.mark.usefixtures("here")
def test_several_inputs_by_name_and_in_order() -> None:
    named = "def load():\n    for i in range(6): yield {'mask': X[i] > 2, 'tokens': X[i].astype(int)}"
    placed = "def load():\n    for i in range(6): yield X[i].astype(int).tolist(), X[i] > 2"
    assert read(named, TWO).samples.sha256 == read(placed, TWO).samples.sha256
    assert read(named, TWO).samples.targets is None


@pytest.mark.usefixtures("here")
def test_columns_are_named_where_they_are_called_otherwise() -> None:
    code = "load = [{'pixels': x, 'label': y, 'id': 7} for x, y in zip(X, Y)]"
    found = read(code, columns=("pixels=x",), target="label")
    assert found.samples.targets is not None
    assert sorted(found.samples.targets) == sorted(Y)
    with pytest.raises(DataError, match=r"gives no 'pixel': expected one of pixels, label, id"):
        read(code, columns=("pixel=x",))
    with pytest.raises(DataError, match=r"--column pixels=z: expected NAME=INPUT, with one of the inputs x"):
        read(code, columns=("pixels=z",))


@pytest.mark.usefixtures("here")
def test_parts_that_the_code_names_are_respected() -> None:
    found = read("load = {'train': list(zip(X[:6], Y)), 'validation': list(zip(X[6:], Y))}")
    assert found.tests is not None
    assert sorted(found.samples.inputs["x"][:, 0]) == [0, 4, 8, 12, 16, 20]
    assert sorted(found.tests.inputs["x"][:, 0]) == [24, 28, 32, 36]


@pytest.mark.usefixtures("here")
def test_wide_numbers_are_cast_and_that_is_said() -> None:
    found = read("load = [(x.astype(float), y) for x, y in zip(X, Y)]")
    assert found.samples.notes == ("input 'x' was cast from float64 to float32",)
    assert found.samples.inputs["x"].dtype == np.float32


BAD = {
    "nothing": ("load = []", r"'mydata.py:load' gives no samples"),
    "shapes that change": (
        "load = [(x[: 4 - (i > 5)], 0) for i, x in enumerate(X)]",
        r"sample 7 of .* does not fit .*'x': expected float32\[4\], got float32\[3\]",
    ),
    "targets that change": (
        "load = [(x, np.zeros(1 + (i > 5))) for i, x in enumerate(X)]",
        r"sample 7 of .* differs in 'targets'.*float64\[1\], got float64\[2\]",
    ),
    "names that change": ("load = [{'x': x, 'y' if i < 5 else 'z': 0} for i, x in enumerate(X)]", "wrong inputs: expected x, got x, z"),
    "a target that comes later": (
        "load = [{'x': x} if i < 5 else {'x': x, 'y': 0} for i, x in enumerate(X)]",
        "sample 6 of .* has other names than those before",
    ),
    "NaN": ("X[4, 1] = np.nan\nload = list(zip(X, Y))", "sample 5 of .* holds NaN or infinity in input 'x'"),
    "another type": ("load = [(x.astype(int), 0) for x in X]", r"sample 1 of .* expected float32\[4\], got int64\[4\]"),
    "too many values": ("load = [(x, 0, 1) for x in X]", "sample 1 of .*: expected x, and the target if there is one, got 3 values"),
    "targets of text": ("load = [(x, 'cat') for x in X]", "targets that are no numbers: got str"),
    "no data": ("load = 3", "'mydata.py:load': expected an iterable of samples or batches, a torch Dataset or DataLoader.*got int"),
    "an error of its own": ("def load():\n    yield X[0], 0\n    raise OSError('no more')", "'mydata.py:load' raised OSError: no more"),
    "an error as a class": ("class load:\n    def __init__(self): 1 / 0", "'mydata.py:load' raised ZeroDivisionError: division by zero"),
    "an interruption": ("def load():\n    raise KeyboardInterrupt", "'mydata.py:load' raised KeyboardInterrupt"),
    "leaving": ("def load():\n    raise SystemExit(3)", "'mydata.py:load' raised SystemExit: 3"),
    "no such name": ("def lod(): pass", "has no 'load': expected one of lod"),
    "rows that do not match": (
        "def load(): return X, Y[:5]",
        r"expected as many rows in every input and in the targets, got \{'x': 10, 'targets': 5\}",
    ),
}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("what", BAD)
def test_bad_code_is_one_line_and_leaves_nothing(what: str) -> None:
    code, told = BAD[what]
    with pytest.raises(Exception, match=told) as caught:
        read(code)
    assert len(str(caught.value).splitlines()) == 1
    assert [path for path in cache_home().rglob("*") if path.is_file()] == []


@pytest.mark.usefixtures("here")
def test_data_without_an_end_are_refused_or_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    endless = "import itertools\ndef load():\n    for i in itertools.count(): yield X[i % 10] + i, i % 3"
    monkeypatch.setattr("toolkit.pipeline.data.base.MAX_SAMPLES", 50)
    with pytest.raises(
        DataError, match=r"gives more than 50 samples: it may have no end; end it, or say how many to take: --max-samples N"
    ):
        read(endless)
    found = read(endless, max_samples=20)
    assert (len(found.samples), found.samples.notes) == (20, ("the first 20 are taken (--max-samples)",))
    batches = read("def load():\n    for i in range(0, 10, 3): yield X[i:i+3], Y[i:i+3]", max_samples=7)
    assert sorted(batches.samples.inputs["x"][:, 0]) == [0, 4, 8, 12, 16, 20, 24]


@pytest.mark.usefixtures("here")
def test_prepared_samples_are_kept_until_the_code_changes() -> None:
    code = "with open('runs', 'a') as file: file.write('.')\nload = list(zip(X, Y))"
    first = read(code).samples.sha256
    assert read(code).samples.sha256 == first
    assert Path("runs").read_text() == "."
    read(code + "\n")
    assert Path("runs").read_text() == ".."
    read(code + "\n", max_samples=5)
    assert Path("runs").read_text() == "..."


@pytest.mark.usefixtures("here")
def test_a_module_of_the_folder_that_is_remembered() -> None:
    Path("mine").mkdir()
    Path("mine/__init__.py").write_text("")
    Path("mine/sets.py").write_text(HEAD + "load = list(zip(X, Y))")
    given = Given(word="mine.sets:load", root=str(Path.cwd()))
    assert len(find_reader(given.word).read(given, Wanted(signature=ONE)).samples) == 10


@pytest.mark.usefixtures("here")
def test_a_damaged_cache_is_one_line() -> None:
    read("load = list(zip(X, Y))")
    (file,) = cache_home().glob("prepared/*/samples/0.npy")
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(StorageError, match=r"prepared samples in '.*' are damaged: .*; run: toolkit cache clear"):
        read("load = list(zip(X, Y))")


def test_ctrl_c_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(_task: str, task: Task, **_options: object) -> None:
        (Path(task.out) / "half").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(reader, "run_isolated", run)
    with pytest.raises(KeyboardInterrupt):
        read("load = []")
    assert [path for path in cache_home().rglob("*") if path.is_file()] == []


def test_rows_change_places_in_their_file(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.arange(200).reshape(50, 4))
    order = np.random.default_rng(3).permutation(50)
    _reorder(np.load(tmp_path / "x.npy", mmap_mode="r+"), order)
    assert (np.load(tmp_path / "x.npy") == np.arange(200).reshape(50, 4)[order]).all()
