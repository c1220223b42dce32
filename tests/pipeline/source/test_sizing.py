"""What a user says of sizes and values, and what of it does not fit."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.core import InputError, Samples, Signature, SizeRange, TensorSpec
from toolkit.pipeline.source.sizing import Sizing, as_sizing, range_ends, sizes_of, with_samples

IMAGES = Signature(
    (TensorSpec("image", "float32", ("batch", 1, "h", "w")),),
    (TensorSpec("out", "float32", ("batch", 1, "2*h", "2*w")),),
)


def _samples(h: int, w: int) -> Samples:
    return Samples({"image": np.zeros((4, 1, h, w), np.float32)}, origin="s.npz").fit(IMAGES)


def test_the_options_are_read() -> None:
    found = Sizing.parse(fix=["h=32,w=320", "h=48,w=320"], ranges=["w=32:960:32"], values=["sr=16000", "state=-0.5"])
    assert found.fixes == ({"h": 32, "w": 320}, {"h": 48, "w": 320})
    assert found.ranges == (SizeRange("w", 32, 960, 32),)
    assert found.values == {"sr": 16000.0, "state": -0.5}
    assert as_sizing([{"h": 32, "w": 320}, "h=48,w=320"], "w=32:960:32", {"sr": 16000, "state": -0.5}) == found


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ({"fix": ["h"]}, "--fix h: expected sizes by name, such as --fix h=32,w=320"),
        ({"fix": ["h=0"]}, "got 'h=0'"),
        ({"fix": ["h=1,h=2"]}, "each name once"),
        ({"ranges": ["w=32"]}, "--range w=32:960:32"),
        ({"ranges": ["w=64:32"]}, "--range w=64:32"),
        ({"values": ["sr=fast"]}, "--set sr=16000"),
        ({"values": ["16000"]}, "--set sr=16000"),
    ],
)
def test_words_that_say_nothing_are_refused_with_the_right_call(words: dict[str, list[str]], line: str) -> None:
    with pytest.raises(InputError, match=line):
        Sizing.parse(**words)


@pytest.mark.parametrize(
    ("sizing", "line"),
    [
        (Sizing(fixes=({"q": 3},)), r"--fix q: expected a free size of 'net': h, w, got 'q'; such as --fix h=32"),
        (Sizing(ranges=(SizeRange("q", 1, 2),)), r"--range q: expected a free size of 'net': h, w, got 'q'; such as --range h=32:96:32"),
        (Sizing(fixes=({"batch": 3},)), "a size that is not the batch: h, w; --batch-sizes 1,32"),
        (Sizing(values={"sr": 1.0}), "an input of 'net': image, got 'sr'"),
        (Sizing(fixes=({"h": 3}, {"w": 3})), "the same names each time"),
    ],
)
def test_names_that_the_network_has_not_are_refused(sizing: Sizing, line: str) -> None:
    with pytest.raises(InputError, match=line):
        sizing.applied(IMAGES, of="net")


def test_a_network_without_free_sizes_takes_none() -> None:
    fixed = Signature((TensorSpec("x", "float32", ("batch", 3)),), ())
    with pytest.raises(InputError, match="'net' has no free size but the batch"):
        Sizing(fixes=({"h": 3},)).applied(fixed, of="net")


def test_what_the_samples_have_is_the_default() -> None:
    assert sizes_of(_samples(32, 48), IMAGES) == {"h": 32, "w": 48}
    assert with_samples(IMAGES, _samples(32, 48), Sizing()).fixes == ({"h": 32, "w": 48},)


def test_samples_of_other_sizes_than_the_fixed_ones_are_refused_with_the_call_that_takes_both() -> None:
    sizing = Sizing.parse(fix=["h=64,w=64"])
    with pytest.raises(InputError, match=r"expected h=64,w=64, got h=32,w=32; give --fix h=64,w=64 --fix h=32,w=32, or samples"):
        with_samples(sizing.applied(IMAGES, of="net"), _samples(32, 32), sizing)


def test_several_sizes_of_which_the_samples_have_one() -> None:
    sizing = Sizing.parse(fix=["w=64", "w=32"])
    found = with_samples(sizing.applied(IMAGES, of="net"), _samples(16, 32), sizing)
    assert found.fixes == ({"h": 16, "w": 64}, {"h": 16, "w": 32})


def test_what_was_fixed_before_gives_way_to_other_samples() -> None:
    before = with_samples(IMAGES, _samples(32, 32), Sizing())
    assert with_samples(before, _samples(16, 16), Sizing()).fixes == ({"h": 16, "w": 16},)


def test_the_ends_of_bounds_and_a_middle_on_the_steps() -> None:
    signature = Sizing.parse(ranges=["w=32:970:32,h=48:48"]).applied(IMAGES, of="net")
    assert range_ends(signature) == [{"w": 32, "h": 48}, {"w": 480, "h": 48}, {"w": 960, "h": 48}]
