"""Formats, precisions and errors: names decode, wrong ones are answered with the nearest."""

from __future__ import annotations

import pytest

from toolkit.core import (
    Format,
    MissingDependencyError,
    Precision,
    ToolkitError,
    UnknownNameError,
    first_line,
    needs,
    version_of,
    words_of,
)
from toolkit.core import errors as errors_module


@pytest.mark.parametrize("format", Format)
def test_a_format_is_found_by_name(format: Format) -> None:
    assert Format.parse(f" {format.upper()} ") is format


def test_wrong_names_say_what_is_known_and_what_is_near() -> None:
    with pytest.raises(
        UnknownNameError,
        match="unknown format 'onx': expected one of "
        "coreml, executorch, keras, ncnn, onnx, openvino, pt2, savedmodel, tflite, torchscript; "
        "did you mean 'onnx'",
    ):
        Format.parse("onx")
    with pytest.raises(UnknownNameError, match="did you mean 'int8-dynamic'"):
        Precision.parse("int8-dynamc")


def test_precisions_decode() -> None:
    assert Precision.INT8.is_calibrated
    assert not Precision.INT8_DYNAMIC.is_calibrated
    assert [p for p in Precision if p.is_quantized] == ["int8", "int8-dynamic", "int8-weights", "int4-weights", "int16x8"]
    assert [p for p in Precision if p.is_calibrated] == ["int8", "int16x8"]
    assert (Precision.INT8_WEIGHTS.weights, Precision.INT8_WEIGHTS.activations) == ("int8", "float32")
    assert sorted(Precision, key=lambda p: p.distance) == [
        "fp32", "fp16", "bf16", "int8-weights", "int16x8", "int8-dynamic", "int8", "int4-weights",
    ]  # fmt: skip
    assert [p.distance for p in sorted(Precision, key=lambda p: p.distance)] == list(range(len(Precision)))
    assert (Precision.INT16X8.weights, Precision.INT16X8.activations) == ("int8", "int16")


@pytest.mark.parametrize("precision", Precision)
def test_a_recipes_name_begins_with_its_precision(precision: Precision) -> None:
    assert Precision.leading(precision) is precision
    assert Precision.leading(f"{precision}-entropy-2") is precision
    with pytest.raises(UnknownNameError, match="unknown precision"):
        Precision.leading(f"x{precision}-entropy")


def test_a_missing_package_names_the_command_that_installs_it() -> None:
    with pytest.raises(MissingDependencyError, match=r"run: pip install .*\[openvino\]"), needs("openvino"):
        import a_module_that_is_not_there  # type: ignore[import-not-found]  # noqa: F401
    assert version_of("a-distribution-that-is-not-there") is None


def test_the_error_tree_in_the_docstring_is_the_real_one() -> None:
    tree = {c.__name__ for c in vars(errors_module).values() if isinstance(c, type) and issubclass(c, ToolkitError)}
    drawn = {word for word in (errors_module.__doc__ or "").split() if word.endswith("Error")}
    assert tree == drawn


def test_a_message_has_its_four_parts() -> None:
    text = str(ToolkitError("problem", expected="a", got="b", hint="do c"))
    assert text == "problem: expected a, got b; do c"
    assert str(ToolkitError("problem")) == "problem"


@pytest.mark.parametrize(
    ("text", "lines", "words"),
    [
        ("one\ntwo\nthree", 1, "ValueError: one"),
        ("one\n  two\nthree", 2, "ValueError: one two"),
        ("Exception from src/core.cpp:84:\nCheck 'false' failed at x.cpp:1:\nno\nmore", 1, "ValueError: no"),
        ("Conversion failed:\nSummary:\n-- no rule for Scaler\n", 1, "ValueError: Conversion failed: Summary: -- no rule for Scaler"),
        ("", 1, "ValueError"),
        ("x" * 1000, 1, "ValueError: " + "x" * 300),
    ],
)
def test_the_words_of_a_library_are_one_line_with_what_they_announce(text: str, lines: int, words: str) -> None:
    assert words_of(ValueError(text), lines=lines) == words


@pytest.mark.parametrize(("text", "line"), [("\n  one\ntwo", "one"), ("", "ValueError"), ("x" * 1000, "x" * 300)])
def test_the_first_line_of_a_library_is_never_empty(text: str, line: str) -> None:
    assert first_line(ValueError(text)) == line
