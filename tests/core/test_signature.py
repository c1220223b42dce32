"""Signatures check names, dtypes, shapes and shared symbols; outputs answer to index and name."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.core import InputError, Outputs, Signature, SignatureError, TensorSpec, rename_symbols

IMAGE = TensorSpec("image", "float32", ("batch", 1, 8, 8))
TOKENS = TensorSpec("tokens", "int64", ("batch", "length"))
MASK = TensorSpec("mask", "bool", ("batch", "length"))
TWO = Signature((TOKENS, MASK), ())


def test_good_inputs_in_each_form() -> None:
    tokens, mask = np.zeros((2, 5), np.int64), np.ones((2, 5), bool)
    for inputs in ((tokens, mask), [tokens, mask], {"mask": mask, "tokens": tokens}):
        assert [a is b for a, b in zip(TWO.check(inputs), (tokens, mask), strict=True)] == [True, True]
    one = np.zeros((3, 1, 8, 8), np.float32)
    assert Signature((IMAGE,), ()).check(one)[0] is one


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.zeros((1, 1, 8, 8)), "wrong dtype: expected float32, got float64"),
        (np.zeros((1, 1, 8, 9), np.float32), r"wrong shape: expected \[batch, 1, 8, 8\], got \[1, 1, 8, 9\]"),
        (np.zeros((1, 8, 8), np.float32), "the first dimension is the batch"),
        (np.zeros((0, 1, 8, 8), np.float32), "wrong shape"),
        ([[1.0]], "expected a NumPy array"),
        ([], "wrong number of inputs"),
        ({"picture": np.zeros((1, 1, 8, 8), np.float32)}, "wrong input names: expected image, got picture"),
    ],
)
def test_bad_inputs(inputs: object, message: str) -> None:
    with pytest.raises(SignatureError, match=message):
        Signature((IMAGE,), ()).check(inputs)  # type: ignore[arg-type]


def test_a_symbol_has_one_size() -> None:
    with pytest.raises(SignatureError, match="dimension 'length' differs between inputs: expected 5 as in 'tokens', got 4 in 'mask'"):
        TWO.check((np.zeros((2, 5), np.int64), np.ones((2, 4), bool)))


@given(st.integers(1, 64), st.lists(st.integers(1, 4), max_size=3))
def test_every_concrete_shape_passes_its_own_check(batch: int, sizes: list[int]) -> None:
    spec = TensorSpec("x", "int32", ("batch", *sizes))
    spec.check(np.zeros(spec.concrete(batch), np.int32))
    with pytest.raises(SignatureError):
        spec.check(np.zeros((*spec.concrete(batch), 1), np.int32))


def test_outputs_by_index_and_name() -> None:
    kind = Outputs.named(["logits", "value"])
    a, b = np.zeros(1), np.ones(1)
    outputs = kind([a, b])
    assert outputs[0] is outputs["logits"] is a
    assert outputs[-1] is outputs["value"] is b
    first, second = outputs
    assert first is a
    assert second is b
    assert list(outputs.as_dict()) == ["logits", "value"]
    with pytest.raises(SignatureError, match="no output 'policy': expected one of logits, value"):
        outputs["policy"]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1, max_size=8, unique=True))
def test_outputs_are_a_mapping_by_name_and_a_sequence_by_place(names: list[str]) -> None:
    arrays = [np.full(2, place) for place in range(len(names))]
    outputs = Outputs.named(names)(arrays)
    by_name = dict(zip(names, arrays, strict=True))

    def keywords(**given: np.ndarray) -> dict[str, np.ndarray]:
        return given

    for found in (dict(outputs), keywords(**outputs), dict(outputs.items()), outputs.as_dict()):
        assert list(found) == list(outputs.keys()) == names
        assert all(found[name] is by_name[name] for name in names)
    for place, name in enumerate(names):
        assert outputs[place] is outputs[name] is outputs.get(name) is by_name[name]
        assert (name in outputs, arrays[place] in outputs, f"{name}, no" in outputs) == (True, True, f"{name}, no" in names)
    assert len(outputs) == len(names)
    assert all(a is b for a, b in zip(outputs, arrays, strict=True)), "iteration is by place"
    assert all(a is b for a, b in zip(outputs.values(), arrays, strict=True))
    first, *_ = outputs
    assert first is arrays[0]
    absent = "".join(names) + "?"
    assert (absent in outputs, outputs.get(absent), np.full(2, 0) in outputs) == (False, None, False)


@pytest.mark.parametrize(
    "text", ["image:float32[batch,3,224,224]", "ids:int64[batch,seq]", "mask:bool[1,8]", "rate:float16[]", "serving/x.0:uint8[2]"]
)
def test_a_spec_is_read_as_it_is_written(text: str) -> None:
    assert str(TensorSpec.parse(text)) == text
    assert TensorSpec.parse(text.replace(",", " , ")) == TensorSpec.parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image", "input spec 'image': expected NAME:DTYPE"),
        ("image:float32", "expected NAME:DTYPE"),
        ("float32[2]", "expected NAME:DTYPE"),
        (":float32[2]", "expected NAME:DTYPE"),
        ("a b:float32[2]", "expected NAME:DTYPE"),
        ("x:float32[2", "expected NAME:DTYPE"),
        ("x:float32[[2]]", "expected NAME:DTYPE"),
        ("x:float[2]", "expected a type out of float32, float64, .*, got 'float'"),
        ("x:float32[0,2]", "expected a size of 1 or more, or a name where the size is free, as dimension, got '0'"),
        ("x:float32[-1,2]", "got '-1'"),
        ("x:float32[batch,,2]", "got ''"),
        ("x:float32[2*n]", r"got '2\*n'"),
        ("x:float32[?]", r"got '\?'"),
    ],
)
def test_a_spec_that_is_none(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        TensorSpec.parse(text)


def test_symbols_are_renamed_whole_and_only_those_that_are_known() -> None:
    assert rename_symbols("8*s0 + s01", {"s0": "batch", "batch": "no"}) == "8*batch + s01"
    assert rename_symbols("s0", {"s0": "s1", "s1": "s0"}) == "s1"


def test_the_batch_may_lie_on_any_axis_and_shapes_follow_it() -> None:
    x, state, rate = (
        TensorSpec("x", "float32", ("batch", "t", 4)),
        TensorSpec("h", "float32", (2, "batch", 3)),
        TensorSpec("r", "int64", ()),
    )
    signature = Signature((x, state, rate), ())
    assert signature.rows == "batch"
    assert [signature.batch_axis(spec) for spec in signature.inputs] == [0, 1, None]
    assert signature.free == ("t",)
    assert [signature.shape(spec, 5, sizes={"t": 7}) for spec in signature.inputs] == [(5, 7, 4), (2, 5, 3), ()]


def test_what_a_signature_says_of_its_batch_counts_before_the_first_axis() -> None:
    spec = TensorSpec("x", "float32", ("steps", "many", 4))
    assert Signature((spec,), ()).rows == "steps"
    told = Signature((spec,), (), batch="many")
    assert (told.batch_axis(spec), told.free) == (1, ("steps",))


def test_an_input_without_the_batch_fixes_it() -> None:
    assert not Signature((TensorSpec("x", "float32", ("seq", 4)), TensorSpec("h", "float32", (1, 1, 3))), ()).has_free_batch


def test_numbers_in_place_of_symbols() -> None:
    spec = TensorSpec("x", "float32", ("batch", "h", "w"))
    assert Signature((spec,), (spec,)).fixed({"h": 3}).outputs[0].shape == ("batch", 3, "w")
