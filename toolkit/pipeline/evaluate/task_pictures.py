"""What the evaluation of a task looks like: boxes, points and classes on pictures, numbers against the true ones, tags, texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.core import Artifact
from toolkit.core.mapped import in_memory
from toolkit.tasks import Task

from ..report.plot import MUTED
from .base import Answers, Table, pixels_of
from .drawing import MOST_SIDE, SERIES, Picture, Tile, TileRow, chart, short, tile_of, tiles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHOWN, _POINTS, _QUANTITIES, _TAGS = 12, 2000, 4, 24
_NUMBERS = 2**22
"""How many are looked at for a chart."""
_UNIT = 2
"""Above it are pixels from 0 to 255."""
_SIDE = 96
"""Pixels that a side has at least, so that lines can be drawn on it."""
_SURE = 0.25
"""The score from which on a box is drawn."""
_ACTUAL, _PREDICTED = (0.16, 0.6, 0.24), (0.93, 0.45, 0.05)
_LEGEND = (("#299940", "actual"), ("#ed730d", "predicted"))


def task_pictures(task: Task, answers: Answers, predictions: Any, targets: np.ndarray, artifact: Artifact) -> list[Picture]:
    """Every picture that a task has for these answers; none for a task of which there is nothing to be seen."""
    draw = _DRAWN.get(task.name)
    return draw(answers, predictions, targets, artifact) if draw and len(targets) else []


def task_tables(task: Task, predictions: Any, targets: np.ndarray, artifact: Artifact) -> list[Table]:
    """Texts, the actual beside the predicted; nothing for other tasks."""
    if task.name not in {"transcription", "translation"}:
        return []
    names, rows = artifact.manifest.labels, _rows(len(targets))
    cells = tuple((_text(targets[row][targets[row] >= 0], names), _text(predictions[row], names)) for row in rows)
    return [Table("Texts" if names else "Tokens", ("actual", "predicted"), cells, prose=True)]


def _text(tokens: Sequence[int] | np.ndarray, names: Sequence[str]) -> str:
    known = range(len(names))
    between = "" if names and all(len(name) == 1 for name in names) else " "
    return between.join(names[number] if number in known else str(number) for number in map(int, tokens)) or "–"


def _rows(count: int) -> np.ndarray:
    """Some from all over the set."""
    return np.linspace(0, count - 1, min(_SHOWN, count)).astype(int)


def _seen(answers: Answers, rows: np.ndarray, artifact: Artifact) -> np.ndarray | None:
    """The pictures ``[K, H, W, 3]`` in colour of some rows; None where the input is none."""
    (array, *others) = answers.samples.inputs.values()
    found = None if others else pixels_of(in_memory(array, rows), artifact)
    return found if found is None or found.ndim == 4 else np.repeat(found[..., None], 3, axis=3)


def _sized(picture: np.ndarray) -> tuple[np.ndarray, float]:
    """A copy of ``[H, W, 3]`` in which lines can be seen, its pixels repeated or left out, and how many there are for one."""
    less, more = -(-max(picture.shape[:2]) // MOST_SIDE), -(-_SIDE // min(picture.shape[:2]))
    if less > 1:
        return picture[::less, ::less].copy(), 1 / less
    return picture.repeat(max(1, more), axis=0).repeat(max(1, more), axis=1), max(1, more)


def _framed(picture: np.ndarray, boxes: np.ndarray, colour: tuple[float, ...]) -> None:
    """Draw the frames of boxes ``[K, 4]`` in pixels of the picture."""
    height, width = picture.shape[:2]
    thick = max(2, min(height, width) // 60)
    for left, top, right, bottom in np.clip(boxes.round().astype(int), 0, [width - 1, height - 1, width - 1, height - 1]):
        for band in (
            (slice(top, top + thick), slice(left, right + 1)),
            (slice(max(0, bottom - thick + 1), bottom + 1), slice(left, right + 1)),
        ):
            picture[band] = colour
        for band in (
            (slice(top, bottom + 1), slice(left, left + thick)),
            (slice(top, bottom + 1), slice(max(0, right - thick + 1), right + 1)),
        ):
            picture[band] = colour


def _boxes(answers: Answers, predictions: Any, targets: np.ndarray, artifact: Artifact) -> list[Picture]:
    rows = _rows(len(targets))
    seen = _seen(answers, rows, artifact)
    if seen is None:
        return []
    drawn: list[Tile] = []
    for row, picture in zip(rows, seen, strict=True):
        image, times = _sized(picture)
        actual = targets[row][targets[row, :, 0] >= 0]
        chosen = (predictions.image == row) & (predictions.score >= _SURE)
        _framed(image, times * actual[:, 1:], _ACTUAL)
        _framed(image, times * predictions.box[chosen], _PREDICTED)
        drawn.append(tile_of(image, words=(f"actual {len(actual)}", f"predicted {int(chosen.sum())}")))
    caption = f"Images from all over the set with their boxes; of the predicted ones those of a score from {_SURE} on."
    return [tiles("boxes", caption, [TileRow("", tuple(drawn))], layers=("boxes in image",), legend=_LEGEND)]


def _points(answers: Answers, predictions: Any, targets: np.ndarray, artifact: Artifact) -> list[Picture]:
    rows = _rows(len(targets))
    seen = _seen(answers, rows, artifact)
    if seen is None:
        return []
    drawn = []
    for row, picture in zip(rows, seen, strict=True):
        image, times = _sized(picture)
        visible = targets[row, :, 2] > 0
        for points, colour in ((targets[row, :, :2], _ACTUAL), (predictions[row], _PREDICTED)):
            middle = times * points[visible]
            _framed(image, np.concatenate([middle - 2, middle + 2], axis=1), colour)
        drawn.append(tile_of(image))
    caption = "Images from all over the set with their points."
    return [tiles("points", caption, [TileRow("", tuple(drawn))], layers=("points in image",), legend=_LEGEND)]


def _masks(answers: Answers, predictions: Any, targets: np.ndarray, artifact: Artifact) -> list[Picture]:
    rows = _rows(len(targets))
    colours = np.array([tuple(int(word[place : place + 2], 16) / 255 for place in (1, 3, 5)) for word in SERIES])

    def coloured(labels: np.ndarray) -> np.ndarray:
        found: np.ndarray = np.where((labels == 255)[..., None], 1.0, colours[labels.astype(int) % len(colours)])
        return found

    seen = _seen(answers, rows, artifact)
    parts = [in_memory(targets, rows), in_memory(predictions.labels, rows)]
    columns = [*([] if seen is None else [seen]), *map(coloured, parts)]
    pairs = tuple(tile_of(*each) for each in zip(*columns, strict=True))
    present = sorted({int(label) for part in parts for label in np.unique(part)} - {255})
    names = dict(enumerate(artifact.manifest.labels))
    legend = tuple((SERIES[number % len(SERIES)], names.get(number, f"class {number}")) for number in present)
    repeated = f" Colours repeat after {len(SERIES)} classes." if present and present[-1] >= len(SERIES) else ""
    above = "Images from all over the set, " if seen is not None else "From all over the set: "
    layers = (*([] if seen is None else ["image"]), "actual classes of image", "predicted classes of image")
    return [
        tiles(
            "masks",
            f"{above}the actual classes of their pixels, and the predicted ones below. White does not count.{repeated}",
            [TileRow("", pairs)],
            layers=layers,
            legend=legend,
        )
    ]


def _channels_first(array: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Some rows as ``[K, C, H, W]`` float64."""
    values = in_memory(array, rows).astype(np.float64)
    values = values if values.ndim == 4 else values[:, None]
    return np.moveaxis(values, 3, 1) if values.shape[3] in {1, 3} and values.shape[1] not in {1, 3} else values


def _scaled(pictures: np.ndarray, low: float, high: float) -> np.ndarray:
    """``[K, C, H, W]`` as ``[K, H, W]`` or ``[K, H, W, 3]`` in [0, 1]."""
    found: np.ndarray = np.clip((np.moveaxis(pictures, 1, -1) - low) / max(high - low, 1e-12), 0, 1)
    return found[..., 0] if found.shape[-1] == 1 else found


def _restored(answers: Answers, predictions: Any, targets: np.ndarray, artifact: Artifact) -> list[Picture]:
    rows = _rows(len(targets))
    layers = ("input", "true picture", "result")
    *inputs, true, result = (_channels_first(array, rows) for array in (*answers.samples.inputs.values(), targets, predictions)[-3:])
    if any(part.shape[1] not in {1, 3} for part in (*inputs, true, result)):
        return []
    # By one scale, that of the true pictures: a result that is too dark or too flat is seen as such.
    low, high = float(true.min()), float(true.max())
    columns = [_scaled(part, low, high) for part in (true, result)]
    for part in inputs:
        alike = 2 * low - high <= part.min() and part.max() <= 2 * high - low and (high <= _UNIT or part.max() > _UNIT)
        seen = pixels_of(part, artifact, like=(low, high) if alike else None)
        columns = [*([] if seen is None else [seen]), *columns]
    pairs = tuple(tile_of(*each) for each in zip(*columns, strict=True))
    return [
        tiles(
            "restored",
            "Inputs from all over the set, the true pictures, and what the network makes.",
            [TileRow("", pairs)],
            layers=layers[-len(columns) :],
        )
    ]


def _numbers(answers: Answers, predictions: Any, targets: np.ndarray, artifact: Artifact) -> list[Picture]:  # noqa: ARG001
    most = max(1, min(_POINTS, len(targets), _NUMBERS // max(1, targets[0].size)))
    rows = np.linspace(0, len(targets) - 1, most).astype(int)
    found, true = (in_memory(array, rows).reshape(len(rows), -1).astype(np.float64) for array in (predictions, targets))

    def draw(figure: Figure, _: bool) -> None:
        axes = figure.add_subplot()
        for quantity in range(min(_QUANTITIES, found.shape[1])):
            label = f"quantity {quantity + 1}" if found.shape[1] > 1 else None
            residual = found[:, quantity] - true[:, quantity]
            axes.plot(true[:, quantity], residual, "o", markersize=2.5, alpha=0.6, color=SERIES[quantity], label=label)
        axes.axhline(0, color=MUTED, linewidth=0.8, linestyle=":")
        axes.set(xlabel="actual", ylabel="predicted − actual")
        if found.shape[1] > 1:
            axes.legend(frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1.01), ncols=_QUANTITIES, handletextpad=0.1)

    which = f", the first {_QUANTITIES} of {found.shape[1]:,} quantities" if found.shape[1] > _QUANTITIES else ""
    return [chart("residuals", f"By how much the predicted numbers are off{which}.", draw, size=(9.4, 4.4), narrow=(4.4, 4.4), wide=True)]


def _tags(answers: Answers, predictions: Any, targets: np.ndarray, artifact: Artifact) -> list[Picture]:  # noqa: ARG001
    counted = (targets >= 0) & (targets < _TAGS) & (predictions < _TAGS)
    count = int(max(targets[counted].max(initial=0), predictions[counted].max(initial=0))) + 1
    matrix = np.bincount(targets[counted] * count + predictions[counted], minlength=count * count).reshape(count, count)
    names = artifact.manifest.labels if len(artifact.manifest.labels) >= count else tuple(map(str, range(count)))

    def draw(figure: Figure, _: bool) -> None:
        from matplotlib.patches import Rectangle

        axes = figure.add_subplot()
        axes.set(xlabel="predicted", ylabel="actual", xlim=(-0.5, count - 0.5), ylim=(count - 0.5, -0.5), aspect="equal")
        shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        for row, column in np.argwhere(matrix):
            alpha = max(0.05, 0.6 * shares[row, column])
            axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor="#3b6fd4", alpha=alpha, linewidth=0))
            if count <= _SHOWN:
                axes.text(column, row, str(matrix[row, column]), ha="center", va="center", fontsize=8)
        words = [short(name) for name in names[:count]]
        axes.set_xticks(range(count), words, rotation=90 if max(map(len, words)) > 2 else 0)
        axes.set_yticks(range(count), words)

    return [chart("tags", "Of each tag's tokens, how many were predicted as each tag.", draw, size=(6.4, 5.6), narrow=(4.4, 4.4))]


_DRAWN: dict[str, Callable[[Answers, Any, np.ndarray, Artifact], list[Picture]]] = {
    "detection": _boxes,
    "keypoints": _points,
    "segmentation": _masks,
    "reconstruction": _restored,
    "regression": _numbers,
    "tagging": _tags,
}
