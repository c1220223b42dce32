"""An evaluation as one HTML file that needs nothing else, with its pictures beside it."""

from __future__ import annotations

import base64
from pathlib import Path

import msgspec

from toolkit.core import Artifact, new_folder

from ..evaluate import Answers, Evaluation
from . import text
from .html import environment
from .pictures import pictures

PAGE, FIGURES = "evaluation.html", "evaluation.json"


def write_evaluation(evaluation: Evaluation, answers: Answers, artifact: Artifact, folder: Path) -> None:
    """Write the page, the figures as JSON and every picture as PNG into `folder`, which appears whole or not at all.

    Raises:
        MissingDependencyError: Jinja2, matplotlib or scikit-learn is not installed.
        StorageError: the folder cannot be written.
    """
    drawn = pictures(evaluation, answers, artifact)
    page = (
        environment()
        .get_template(PAGE)
        .render(
            e=evaluation,
            pictures=[{"caption": p.caption, "base64": base64.b64encode(p.png).decode(), "wide": p.wide} for p in drawn],
            number=lambda value: text.NONE if value is None else f"{value:.4f}",
        )
    )
    with new_folder(folder) as work:
        (work / PAGE).write_text(page)
        (work / FIGURES).write_bytes(msgspec.json.format(msgspec.json.encode(evaluation)))
        for picture in drawn:
            (work / f"{picture.name}.png").write_bytes(picture.png)
