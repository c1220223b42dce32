"""Which outputs are the next values of which inputs, by their names."""

from __future__ import annotations

import pytest

from toolkit.core import InputError, Signature, TensorSpec
from toolkit.core.states import check_states, growing_states, paired_states


def signature(inputs: list[str], outputs: list[str]) -> Signature:
    return Signature(tuple(map(TensorSpec.parse, inputs)), tuple(map(TensorSpec.parse, outputs)))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("h", "h_out"), ("state", "stateN"), ("h0", "hn"), ("lstm_c0", "lstm_cn"), ("hidden_in", "hidden_out"), ("cache", "new_cache"),
        ("prev_state", "next_state"), ("past_key_values.3.key", "present.3.key"), ("input_state", "output_state"), ("h_in", "h"),
        ("encoder.conv_cache_in", "encoder.conv_cache_out"), ("past", "present"), ("old", "new"),
    ],
)  # fmt: skip
def test_names_that_say_it(before: str, after: str) -> None:
    found = signature(["x:float32[batch,8]", f"{before}:float32[2,batch,4]"], ["y:float32[batch,1]", f"{after}:float32[2,batch,4]"])
    assert paired_states(found) == {before: after}


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        (["audio_in:float32[1,160]"], ["audio_out:float32[1,160]"]),  # Nothing would be left to give it.
        (["x:float32[1,8]", "input:float32[1,8]"], ["output:float32[1,8]"]),
        (["x:float32[1,8]", "h:float32[1,8]"], ["h_out:float32[1,9]"]),
        (["x:float32[1,8]", "h:float32[1,8]"], ["h_out:float16[1,8]"]),
        (["x:float32[1,8]", "h:float32[1,8]"], ["h_out:float32[1,8]", "new_h:float32[1,8]"]),
        (["x:float32[1,8]", "past.0.key:float32[1,8]"], ["present.1.key:float32[1,8]"]),
        (["image:float32[1,8]", "mask:float32[1,8]"], ["mask:float32[1,8]"]),
        (["x:float32[1,8]", "main:float32[1,8]"], ["man:float32[1,8]"]),
    ],
)
def test_names_sizes_and_types_that_do_not(inputs: list[str], outputs: list[str]) -> None:
    assert paired_states(signature(inputs, outputs)) == {}


def test_several_states_keep_their_layers() -> None:
    names = [f"past_key_values.{layer}.{kind}" for layer in (0, 1, 10) for kind in ("key", "value")]
    found = signature(
        ["input_ids:int64[batch,1]", *(f"{name}:float32[batch,2,past,4]" for name in names)],
        ["logits:float32[batch,9]", *(f"{name.replace('past_key_values', 'present')}:float32[batch,2,next,4]" for name in names)],
    )
    assert paired_states(found) == {name: name.replace("past_key_values", "present") for name in names}


def test_a_cache_grows_where_its_next_value_has_another_free_size() -> None:
    found = signature(
        ["ids:int64[batch,time]", "past:float32[batch,2,before,4]", "h:float32[batch,3]", "fixed:float32[batch,16]"],
        ["logits:float32[batch,time,9]", "present:float32[batch,2,after,4]", "h_out:float32[rows,3]", "fixed_out:float32[batch,16]"],
    )
    assert growing_states(found, {"past": "present", "h": "h_out", "fixed": "fixed_out"}) == {"past": (2,)}


@pytest.mark.parametrize(
    ("states", "line"),
    [
        ({"q": "b"}, "--state q=b: expected an input of 'net': x, a, got 'q'"),
        ({"a": "q"}, "--state a=q: expected an output of 'net': y, b, got 'q'"),
        ({"a": "y"}, r"--state a=y: expected an output like a:float32\[2,batch,4\], got y:float32\[batch,1\]"),
    ],
)
def test_what_cannot_be_one_is_a_line(states: dict[str, str], line: str) -> None:
    found = signature(["x:float32[batch,8]", "a:float32[2,batch,4]"], ["y:float32[batch,1]", "b:float32[2,batch,4]"])
    check_states({"a": "b"}, found, of="net")
    with pytest.raises(InputError, match=line):
        check_states(states, found, of="net")


def test_one_output_for_two_states_and_states_alone_are_refused() -> None:
    found = signature(["a:float32[4]", "b:float32[4]", "x:float32[4]"], ["y:float32[4]", "z:float32[4]"])
    with pytest.raises(InputError, match="expected another output for each input"):
        check_states({"a": "y", "b": "y"}, found, of="net")
    alone = signature(["a:float32[4]"], ["y:float32[4]"])
    with pytest.raises(InputError, match="expected an input of 'net' that is no state"):
        check_states({"a": "y"}, alone, of="net")
