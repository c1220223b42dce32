"""Recipes as JSON files."""

from __future__ import annotations

from pathlib import Path

import msgspec

from toolkit.core import InputError, decode_json, read_file
from toolkit.models.base import TrainingRecipe


def encode_recipe(recipe: TrainingRecipe) -> bytes:
    """The recipe as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(recipe)) + b"\n"


def read_recipe(file: Path) -> TrainingRecipe:
    """The recipe in a file, with defaults for what it does not name; raises `InputError`."""
    try:
        content = decode_json(read_file(file), dict[str, object])
        known = set(TrainingRecipe.__dataclass_fields__)
        unknown = sorted(set(content) - known)
        if unknown:
            raise InputError(f"'{file}' names what no recipe has", expected=", ".join(sorted(known)), got=", ".join(unknown))
        return msgspec.convert(content, TrainingRecipe)
    except OSError as error:
        raise InputError(f"no recipe '{file}'", expected="a JSON file, such as toolkit tune writes", got=error.strerror or "") from error
    except msgspec.DecodeError as error:
        raise InputError(f"'{file}' is no recipe: {error}", expected="JSON as toolkit tune writes it") from error
