"""The reference pages, out of the program itself: commands from ``--help``, the Python API from docstrings, formats from the registries.

python -m benchmarks.reference
"""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Iterator
from enum import EnumType
from pathlib import Path

import click

from toolkit.core import write_file

DOCS = Path(__file__).resolve().parents[1] / "docs"
_WIDTH = "100"
_NEVER = "Made by `make docs`; never edited by hand."
# What an app meets, by where it is defined.
_API = (
    ("toolkit", ("load", "pull", "push", "Bundle", "Artifact", "ToolkitError")),
    ("toolkit.runtimes", ("Session", "Stream", "Batcher", "SessionOptions", "Actual", "open_session")),
    ("toolkit.core", ("Signature", "TensorSpec", "Samples", "Precision", "Format")),
)


def commands() -> str:
    """Every command's help."""
    from toolkit.cli import toolkit

    lines = ["# Commands", "", _NEVER, ""]
    for name, command in _walk(toolkit, "toolkit"):
        context = click.Context(command, info_name=name, max_content_width=int(_WIDTH), help_option_names=["-h", "--help"])
        lines += [f"## {name}", "", "```text", command.get_help(context).rstrip(), "```", ""]
    return "\n".join(lines)


def _walk(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from _walk(command, f"{path} {name}")


def api() -> str:
    """The public names with signatures and docstrings."""
    lines = ["# Python API", "", _NEVER, ""]
    for module, names in _API:
        lines += [f"## {module}", ""]
        for name in names:
            found = getattr(sys.modules.get(module) or __import__(module, fromlist=[name]), name)
            lines += _entry(name, found)
    return "\n".join(lines)


def _entry(name: str, found: object) -> list[str]:
    lines = [f"### {name}{_signature(found)}", "", *_text(found)]
    if inspect.isclass(found):
        for key, member in vars(found).items():
            plain = member.__func__ if isinstance(member, (classmethod, staticmethod)) else member
            is_public = not key.startswith("_") and (inspect.isfunction(plain) or isinstance(plain, property))
            if is_public and inspect.getdoc(plain):
                signature = "" if isinstance(plain, property) else _signature(plain)
                lines += [f"#### {name}.{key}{signature}", "", *_text(plain)]
    return lines


def _text(found: object) -> list[str]:
    return ["```text", inspect.getdoc(found) or "", "```", ""]


def _signature(found: object) -> str:
    if isinstance(found, EnumType):
        return f": {', '.join(found)}"
    try:
        text = str(inspect.signature(found))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return ""
    return re.sub(r"'([\w.| \[\]]+)'", r"\1", text)


def formats() -> str:
    """The table of formats, precisions and engines."""
    from toolkit.pipeline.support import support_table

    return "\n".join([*_FORMATS_HEAD, support_table(), *_FORMATS_TAIL])


_FORMATS_HEAD = (
    "# Formats, precisions and engines",
    "",
    _NEVER,
    "",
    "What can be made from a `.pt2` file, and the engines that run the result (`toolkit formats --markdown` prints this table):",
    "",
)
_FORMATS_TAIL = (
    "",
    "- **int8** is static: activation ranges are fixed by calibration on training samples.",
    "- **int8-dynamic** measures the ranges of activations at run time.",
    "- **int8-weights** and **int4-weights** store weights only; arithmetic stays in float.",
    "- **int16x8** has int16 activations and int8 weights.",
    "- Ranges, scales and groups are chosen by recipes: `toolkit recipes`, [recipes.md](recipes.md).",
    "- Other sources (ONNX, Keras, SavedModel, Python code): [sources.md](sources.md).",
    "- Devices: `cpu`, and `gpu` or `npu` where the engine finds one. A device that is not there is an error, never a silent fallback.",
    "- The `.pt2` file itself runs in `torch` and, compiled ahead of time, in `torch-compiled`: [torch.md](torch.md).",
    "",
)

PAGES = {"reference-cli.md": commands, "reference-api.md": api, "formats.md": formats}

if __name__ == "__main__":
    os.environ["COLUMNS"] = _WIDTH
    for file, page in PAGES.items():
        write_file(DOCS / file, page())
