"""An evaluation as one HTML file that needs nothing else, with its pictures beside it."""

from __future__ import annotations

import base64
from pathlib import Path

import msgspec

from toolkit.core import new_folder

from ..report.html import environment
from .base import Evaluation

PAGE, FIGURES = "evaluation.html", "evaluation.json"


def write_evaluation(evaluation: Evaluation, folder: Path) -> None:
    """Write the page, the figures as JSON and every picture as PNG into `folder`, which appears whole or not at all.

    Raises:
        MissingDependencyError: Jinja2 or matplotlib is not installed.
        StorageError: the folder cannot be written.
    """
    drawn = evaluation.draw()
    filled = environment()
    filled.filters["base64"] = lambda png: base64.b64encode(png).decode()
    page = filled.get_template(PAGE).render(e=evaluation, pictures=drawn)
    with new_folder(folder) as work:
        (work / PAGE).write_text(page)
        (work / FIGURES).write_bytes(msgspec.json.format(msgspec.json.encode(as_json(evaluation))))
        for picture in drawn:
            (work / f"{picture.name}.png").write_bytes(picture.png)


def as_json(evaluation: Evaluation) -> dict[str, object]:
    """The run and the figures, in one."""
    figures: dict[str, object] = msgspec.to_builtins(evaluation.figures)
    return {**msgspec.to_builtins(evaluation.run), **figures}
