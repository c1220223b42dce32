"""Tables: columns of numbers become inputs, one becomes the targets."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from toolkit.core import DataError, MissingDependencyError, Signature, TensorSpec
from toolkit.pipeline.data import Found, Given, Wanted, find_reader

ONE = Signature((TensorSpec("x", "float32", ("batch", 3)),), (TensorSpec("y", "float32", ("batch", 3)),))
TWO = Signature((TensorSpec("a", "float32", ("batch", 2, 1)), TensorSpec("b", "int64", ("batch",))), ())


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def read(text: str, signature: Signature = ONE, name: str = "t.csv", labels: tuple[str, ...] = (), **options: object) -> Found:
    Path(name).write_text(text)
    given = Given(word=name, **options)  # type: ignore[arg-type]
    return find_reader(name).read(given, Wanted(signature=signature, labels=labels))


def rows(found: Found) -> list[tuple[list[float], object]]:
    targets = [None] * len(found.samples) if found.samples.targets is None else found.samples.targets.tolist()
    return sorted(zip(np.asarray(found.samples.inputs["x"]).tolist(), targets, strict=True))


TABLE = "id,p,q,r,kind\n0,1,2,3,0\n1,4,5,6.5,2\n"


def test_columns_are_joined_in_their_order() -> None:
    expected = [([3.0, 1.0, 2.0], 0), ([6.5, 4.0, 5.0], 2)]
    assert rows(read(TABLE, columns=("r=x", "p=x", "q=x"), target="kind")) == expected
    assert rows(read(TABLE, columns=("r,p,q=x",), target="kind")) == expected
    assert rows(read(TABLE.replace(",", "\t"), name="t.tsv", columns=("r,p,q=x",), target="kind")) == expected
    lines = [json.dumps({"pq": [p, q], "r": r, "kind": k}) for p, q, r, k in ((1, 2, 3, 0), (4, 5, 6.5, 2))]
    assert rows(read("\n".join(lines), name="t.jsonl", columns=("r,pq=x",), target="kind")) == expected


def test_several_inputs_take_their_own_columns_and_types() -> None:
    found = read("a1,a2,b\n1,2,3\n4,5,6\n", TWO, columns=("a1,a2=a", "b=b"))
    assert found.samples.inputs["a"].shape == (2, 2, 1)
    assert found.samples.inputs["b"].dtype == np.int64
    assert sorted(found.samples.inputs["b"]) == [3, 6]
    called = Signature((TensorSpec("a", "float32", ("batch",)), TensorSpec("b", "int64", ("batch",))), ())
    assert sorted(read("b,a,label\n3,9,1\n", called).samples.inputs) == ["a", "b"]


def test_a_single_input_takes_all_columns_but_that_of_the_targets() -> None:
    assert rows(read("p,q,r,y\n1,2,3,0\n", ONE)) == [([1.0, 2.0, 3.0], 0)]
    with pytest.raises(
        DataError, match=r"line 2 gives 5 numbers for the input x:float32\[batch,3\]: expected 3 of them.*--column NAME=INPUT"
    ):
        read(TABLE)


def test_targets_are_classes_numbers_or_words() -> None:
    table = "p,q,r,kind\n1,2,3,{}\n4,5,6,{}\n"
    whole, real, words = (read(table.format(*pair), target="kind") for pair in ((1, 0), (1, 0.5), ("dog", "cat")))
    for found, dtype, values in ((whole, np.int64, [1, 0]), (real, np.float32, [1, 0.5]), (words, np.int64, [1, 0])):
        assert found.samples.targets is not None
        assert found.samples.targets.dtype == dtype
        assert [target for _, target in rows(found)] == values
    assert words.labels == ("cat", "dog")
    told = read(table.format("dog", "cat"), target="kind", labels=("emu", "dog", "cat"))
    assert [target for _, target in rows(told)] == [1, 2]


def test_no_more_rows_than_asked_for() -> None:
    found = read("p,q,r\n" + "1,2,3\n" * 5000, max_samples=2000)
    assert (len(found.samples), found.samples.notes) == (2000, ("the first 2,000 rows are taken (--max-samples)",))


BAD = {
    "no such column": (TABLE, {"columns": ("z=x",)}, "'t.csv' has no column 'z': expected one of id, p, q, r, kind"),
    "no such target": (
        TABLE,
        {"columns": ("p,q,r=x",), "target": "klass"},
        "'t.csv' has no column 'klass': expected one of id, p, q, r, kind",
    ),
    "no such input": (TABLE, {"columns": ("p=y",)}, "--column p=y: expected NAME=INPUT, with one of the inputs x"),
    "no number": ("p,q,r\n1,2,3\n1,cat,3\n", {}, "'t.csv' line 3, column 'q': expected a number, got 'cat'"),
    "nothing there": ("p,q,r\n1,2,3\n1,,3\n", {}, "'t.csv' line 3, column 'q': expected a number, got nothing"),
    "a short line": ("p,q,r\n1,2,3\n1,2\n", {}, "'t.csv' line 3, column 'r': expected a number, got nothing"),
    "NaN": ("p,q,r\n1,2,nan\n", {}, "'t.csv' line 2, column 'r': expected a number, got 'nan'"),
    "words among numbers": ("p,q,r,y\n1,2,3,0\n1,2,3,cat\n", {}, "'t.csv' line 3, column 'y': expected a number, got 'cat'"),
    "no rows": ("p,q,r\n", {}, "'t.csv' gives no samples"),
    "nothing at all": ("", {}, "does not say which columns the inputs x are made of: .* of none: it is empty"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_table_is_one_line(what: str) -> None:
    text, options, told = BAD[what]
    with pytest.raises(DataError, match=told) as caught:
        read(text, **options)  # type: ignore[arg-type]
    assert len(str(caught.value).splitlines()) == 1


def test_targets_of_several_numbers_keep_their_shape_and_kind() -> None:
    lines = [{"x": [[1, 2], [3]], "target": target} for target in ([[0, 1.5], [2, 3]], [[4, 5], [6, 7]])]
    found = read("\n".join(map(json.dumps, lines)), name="t.jsonl")
    assert found.samples.targets is not None
    assert found.samples.targets.dtype == np.float32
    assert found.samples.targets.shape == (2, 2, 2)
    whole = read("\n".join(json.dumps({"x": [1, 2, 3], "target": [n, -1]}) for n in range(3)), name="w.jsonl")
    assert whole.samples.targets is not None
    assert whole.samples.targets.dtype == np.int64
    uneven = "\n".join(json.dumps({"x": [1, 2, 3], "target": [1] * n}) for n in (2, 3))
    with pytest.raises(DataError, match=r"line 2, column 'target': expected as many numbers as in line 1: 2, got 3"):
        read(uneven, name="u.jsonl")


TEXTS = "text,said\nthe cat sat,a b\nthe the,b\nsat,a a b\n"
TOKENS = Signature((TensorSpec("tokens", "int64", ("batch", 4)),), (TensorSpec("y", "int64", ("batch", "steps")),))


def test_texts_become_tokens_as_the_preparation_says() -> None:
    Path("words.txt").write_text("<pad>\n<unk>\nthe\nsat\n")
    Path("prepare.toml").write_text('[text]\nvocabulary = "words.txt"\nunknown = 1\n[target]\ntokens = ["a", "b"]\n')
    found = read(TEXTS, TOKENS, columns=("text=tokens",), target="said")
    assert found.samples.targets is not None
    pairs = sorted(zip(found.samples.inputs["tokens"].tolist(), found.samples.targets.tolist(), strict=True))
    assert pairs == [([2, 1, 3, 0], [0, 1, -1]), ([2, 2, 0, 0], [1, -1, -1]), ([3, 0, 0, 0], [0, 0, 1])]
    assert found.preprocessing is not None
    assert found.preprocessing.text is not None
    assert found.preprocessing.text.decode([2, 3]) == "the sat"
    Path("prepare.toml").write_text('[text]\ntokens = ["the", "sat"]\n')
    with pytest.raises(DataError, match=r"'t.csv' line 2, column 'text': 'cat' is no token: expected one of 2; say: unknown = 1") as caught:
        read(TEXTS, TOKENS, columns=("text=tokens",), target="said")
    assert len(str(caught.value).splitlines()) == 1
    Path("prepare.toml").write_text('[text]\nvocabulary = "none.txt"\n')
    with pytest.raises(DataError, match=r"prepare.toml' cannot be read: No such file"):
        read(TEXTS, TOKENS, columns=("text=tokens",), target="said")


def test_what_is_no_text_is_said() -> None:
    Path("t.csv").write_bytes(b"p,q,r\n\xff\xfe,1,2\n")
    with pytest.raises(DataError, match=r"'t\.csv' cannot be read as a table: 'utf-8' codec"):
        find_reader("t.csv").read(Given(word="t.csv"), Wanted(signature=ONE))
    with pytest.raises(DataError, match=r"'t.jsonl' line 2 has no 'x': expected one of z"):
        read('{"x": [1, 2, 3]}\n{"z": 3}\n', name="t.jsonl")


def test_parquet_without_pyarrow_says_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingDependencyError, match=r"run: pip install .*\[tables\]"):
        read("PAR1", name="t.parquet")
