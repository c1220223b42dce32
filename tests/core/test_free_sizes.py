"""Names for sizes that a file leaves without one."""

from __future__ import annotations

from toolkit.core.free_sizes import Declared, name_sizes, sizes_text


def _shapes(inputs: list[tuple[int | str | None, ...]], outputs: list[tuple[int | str | None, ...]] = []) -> list[tuple[int | str, ...]]:  # noqa: B006
    ports = [Declared("ab"[place], "float32", shape) for place, shape in enumerate(inputs)]
    own, others = name_sizes(ports, [Declared("y", "float32", shape) for shape in outputs])
    return [spec.shape for spec in (*own, *others)]


def test_two_sizes_that_are_both_called_by_a_question_mark_are_two() -> None:
    assert _shapes([(None, 3, "?", "?")]) == [("batch", 3, "height", "width")]


def test_unnamed_sizes_of_two_inputs_are_never_one() -> None:
    first, second = _shapes([(None, -1), (None, -1)])
    assert first == ("batch", "dim_1")
    assert not set(first) & set(second)


def test_names_of_a_person_stay_and_are_not_taken_again() -> None:
    assert _shapes([("n", "dim_2", None)], [("n", "dim_2")]) == [("n", "dim_2", "a_2"), ("n", "dim_2")]


def test_a_generated_word_is_one_size_wherever_it_stands() -> None:
    assert _shapes([("unk__7", 4), ("unk__7", 5)], [("unk__7", 6)]) == [("batch", 4), ("batch", 5), ("batch", 6)]


def test_words_that_are_no_names_get_one() -> None:
    assert _shapes([("p2o.DynamicDimension.0", 3, 48, "p2o.DynamicDimension.1")]) == [("batch", 3, 48, "width")]


def test_images_with_channels_last() -> None:
    assert _shapes([(None, None, None, 3)]) == [("batch", "height", "width", 3)]


def test_sizes_as_the_option_has_them() -> None:
    assert sizes_text({"h": 32, "w": 320}) == "h=32,w=320"


def test_an_output_has_no_size_of_an_input_by_its_place_alone() -> None:
    assert _shapes([(None, None)], [(None, None, 5)]) == [("batch", "dim_1"), ("batch", "y_1", 5)]
