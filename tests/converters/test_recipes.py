"""Recipe files: what is read, what is refused, and what comes with the toolkit."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.converters.planner import all_converters
from toolkit.converters.recipes import (
    Choices,
    NamedRecipe,
    Ranges,
    builtin_recipes,
    find_recipe,
    read_recipe,
    recipe_schema,
    recipe_text,
)
from toolkit.core import InputError, Precision, UnknownNameError, decode_json, decode_toml

GOOD = {
    "name": "int8-mine",
    "precision": "int8",
    "ranges": "percentile",
    "percentile": 99.9,
    "per_channel": False,
    "keep_float": ["a", "b"],
}


def toml(values: dict[str, object]) -> str:
    """TOML of flat values: its strings, numbers and lists are written as JSON's are."""
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())


def written(folder: Path, values: dict[str, object], suffix: str) -> Path:
    file = folder / f"mine{suffix}"
    file.write_text(toml(values) if suffix == ".toml" else json.dumps(values))
    return file


@pytest.mark.parametrize("suffix", [".toml", ".json", ".TOML"])
def test_a_file_is_read(suffix: str, tmp_path: Path) -> None:
    file = written(tmp_path, GOOD, suffix.lower())
    found = find_recipe(str(file.rename(file.with_suffix(suffix))))
    assert (found.name, found.variant, found.precision, found.keep_float) == ("int8-mine", "mine", Precision.INT8, ("a", "b"))
    assert found.choices == Choices(ranges=Ranges.PERCENTILE, percentile=99.9, per_channel=False)
    assert found.given() == {"ranges": "percentile", "percentile": 99.9, "per_channel": False}


@pytest.mark.parametrize("suffix", [".toml", ".json"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rangs": "minmax"}, "unknown field `rangs`"),
        ({"per_channel": "yes"}, r"Expected `bool(.*null)?`, got `str` - at `\$\.per_channel`"),
        ({"per_channel": 1}, r"got `int` - at `\$\.per_channel`"),
        ({"percentile": 100}, r"`float` < 100"),
        ({"percentile": 5.0}, r"`float` > 50"),
        ({"ranges": "widest"}, "Invalid enum value 'widest'"),
        ({"ranges": "minmax"}, "belong together, such as 99.99"),
        ({"percentile": None}, "belong together"),
        ({"group_size": -1}, r"`int` >= 0"),
        ({"group_size": 10**30}, "group_size|out of range|too large"),
        ({"precision": "int7"}, "Invalid enum value 'int7'"),
        ({"precision": "int8-weights"}, "must begin with the precision, such as 'int8-weights-mine', got 'int8-mine'"),
        ({"name": "int8-dynamic"}, "must begin with the precision"),
        ({"name": "int8"}, "'int8' is what the default is called; call this one 'int8-mine'"),
        ({"name": "int8-../../x"}, "matching regex"),
        ({"name": "int8-mine\n"}, "matching regex"),
        ({"name": "int8-" + "a" * 21}, "matching regex"),
        ({"name": 8}, r"Expected `str`, got `int` - at `\$\.name`"),
        ({"keep_float": "a"}, r"Expected `array`, got `str`"),
        ({"keep_float": [""]}, "length >= 1"),
        ({"about": "x" * 201}, "length <= 200"),
    ],
)
def test_a_bad_value_is_one_line(change: dict[str, object], message: str, suffix: str, tmp_path: Path) -> None:
    values = {name: value for name, value in {**GOOD, **change}.items() if value is not None}
    with pytest.raises(InputError, match=message) as caught:
        read_recipe(written(tmp_path, values, suffix))
    assert "\n" not in str(caught.value)
    assert "mine" in caught.value.problem


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        (".toml", b"name = "),
        (".toml", b"\xff\xfe"),
        (".toml", b"name = 'int8-a'\nname = 'int8-b'"),
        (".toml", b"group_size = " + b"9" * 5000),
        (".toml", b"percentile = nan\nname = 'int8-a'\nprecision = 'int8'\nranges = 'percentile'"),
        (".toml", b"name = 2026-11-21"),
        (".toml", b"keep_float = " + b"[" * 100_000),
        (".toml", b"keep_float = " + b"[" * 400 + b"]" * 400),
        (".toml", b"a" + b".a" * 100_000 + b" = 1"),
        (".json", b""),
        (".json", b"[]"),
        (".json", b"null"),
        (".json", b"\xff\xfe"),
        (".json", b"[" * 100_000),
        (".json", b'{"keep_float":' * 50_000),
    ],
)
def test_what_is_no_recipe_is_one_line(suffix: str, content: bytes, tmp_path: Path) -> None:
    file = tmp_path / f"x{suffix}"
    file.write_bytes(content)
    with pytest.raises(InputError, match="is no recipe") as caught:
        read_recipe(file)
    assert "\n" not in str(caught.value)


def test_what_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    os.mkfifo(tmp_path / "pipe.toml")
    with (tmp_path / "huge.toml").open("wb") as stream:
        stream.truncate(2**20 + 1)
    for name, reason in (
        ("folder", "not a regular file|Is a directory"),
        ("pipe", "not a regular"),
        ("huge", "larger than 1 MiB"),
        ("no", "No such"),
    ):
        with pytest.raises(InputError, match=reason):
            find_recipe(str(tmp_path / f"{name}.toml"))
    with pytest.raises(UnknownNameError, match=r"unknown recipe 'int8-entropi'.*int8-entropy.*or a file ending in \.toml or \.json"):
        find_recipe("int8-entropi")
    with pytest.raises(InputError, match=r"ending in \.toml or \.json, got '\.yaml'"):
        read_recipe(tmp_path / "x.yaml")


def test_a_built_in_name_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(recipe_text("int8-percentile"))
    assert find_recipe(str(file)) == builtin_recipes()["int8-percentile"]
    file.write_text(recipe_text("int8-percentile").replace("99.99", "99.9"))
    with pytest.raises(InputError, match="changes the built-in 'int8-percentile': expected a name of its own"):
        find_recipe(str(file))
    file.write_text(recipe_text("int8-percentile").replace("99.99", "99.9").replace("int8-percentile", "int8-tight"))
    assert find_recipe(str(file)).name == "int8-tight"


names = st.from_regex(r"[a-z0-9]{1,20}(-[a-z0-9]{1,20}){0,2}", fullmatch=True)
choices = st.fixed_dictionaries(
    {},
    optional={
        "per_channel": st.booleans(),
        "symmetric": st.booleans(),
        "group_size": st.integers(0, 1024),
        "about": st.text(st.characters(codec="utf-8", exclude_characters="\x7f"), max_size=50),
        "keep_float": st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x7f"), min_size=1, max_size=9), max_size=4),
    },
)
ranges: st.SearchStrategy[dict[str, object]] = st.one_of(
    st.just({}),
    st.sampled_from([{"ranges": each.value} for each in Ranges if each is not Ranges.PERCENTILE]),
    st.floats(50, 100, exclude_min=True, exclude_max=True).map(lambda value: {"ranges": "percentile", "percentile": value}),
)


@given(st.sampled_from(Precision), names, choices, ranges)
def test_toml_and_json_say_the_same_there_and_back(
    precision: Precision, words: str, some: dict[str, object], by: dict[str, object]
) -> None:
    name = f"{precision}-{words}"
    values = {"name": name, "precision": precision.value, **some, **by}
    if Precision.leading(name) is not precision:
        with pytest.raises(msgspec.ValidationError, match="begin with the precision"):
            decode_json(json.dumps(values).encode(), NamedRecipe)
        return
    recipe = decode_json(json.dumps(values).encode(), NamedRecipe)
    assert decode_json(msgspec.json.encode(recipe), NamedRecipe) == recipe
    text = "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in values.items())
    assert decode_toml(text.encode(), NamedRecipe) == recipe
    assert f"{recipe.precision}-{recipe.variant}" == recipe.name
    assert {**recipe.choices.given(), "keep_float": list(recipe.keep_float)} == {
        "keep_float": [],
        **{k: v for k, v in values.items() if k not in {"name", "precision", "about"}},
    }


def test_the_built_in_ones() -> None:
    known = builtin_recipes()
    assert {recipe.precision for recipe in known.values() if not recipe.variant} == set(Precision), "each precision has its default"
    assert all(recipe.about for recipe in known.values())
    for name, recipe in known.items():
        assert name == recipe.name
        assert decode_toml(recipe_text(name).encode(), NamedRecipe) == recipe
        assert tomllib.loads(recipe_text(name))["name"] == name
    contents = [(recipe.precision, *recipe.given().items()) for recipe in known.values()]
    assert len(set(contents)) == len(contents)


def test_every_built_in_one_can_be_made_somewhere() -> None:
    for recipe in builtin_recipes().values():
        able = []
        for converter in all_converters():
            if converter.target.precision is recipe.precision:
                try:
                    converter.check_choices(recipe.choices)
                except InputError:
                    continue
                able.append(converter)
        assert able, recipe.name


def test_the_schema_names_every_field() -> None:
    schema = recipe_schema()
    about = schema["$defs"]["NamedRecipe"]
    assert set(about["properties"]) == set(NamedRecipe.__struct_fields__)
    assert about["required"] == ["name", "precision"]
    assert about["additionalProperties"] is False
    assert schema["$defs"]["Ranges"]["enum"] == sorted(Ranges)
