"""What an evaluation looks like: charts that take the page's colours and width, and small images; each also as a PNG file."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from toolkit.core import needs

from ..report.plot import page_style, page_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Size = tuple[float, float]
_LETTERS = 14
MOST_SIDE, _COARSE = 192, 80
"""Pixels of a side of a tile: at most, for a page shows it no larger; and those up to which it is drawn larger than it is."""
SERIES = ("#1f77b4", "#d9730d", "#2a9a3c", "#d33f3f", "#8e6bbf", "#a0695c", "#d962b0", "#8a8a8a", "#a3a31c", "#12a5b5")
"""Colours of curves that are seen on white and in the dark alike."""


@dataclass(frozen=True)
class Tile:
    """Small images above each other.

    Args:
        images: as PNG files.
        words: below them.
        coarse: a page draws them larger than they are, where each pixel is to be seen as one; lines of larger ones would be lost by that.
    """

    images: tuple[bytes, ...]
    words: tuple[str, ...] = ()
    coarse: bool = True


@dataclass(frozen=True)
class TileRow:
    """Tiles beside each other under a name, which may be empty."""

    name: str
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class Picture:
    """What an evaluation shows.

    Args:
        name: of the PNG file, without its ending.
        caption: what is seen.
        png: the file.
        wide: it needs a line of the page for itself.
        drawings: a chart as SVG elements for a wide and a narrow page; empty for tiles.
        rows: the tiles; empty for a chart.
        layers: what the images of a tile are, from above, for those who do not see them.
        legend: colours as ``#rrggbb``, and what they mean.
    """

    name: str
    caption: str
    png: bytes
    wide: bool = False
    drawings: tuple[str, ...] = ()
    rows: tuple[TileRow, ...] = ()
    layers: tuple[str, ...] = ("image",)
    legend: tuple[tuple[str, str], ...] = ()


def chart(
    name: str, caption: str, draw: Callable[[Figure, bool], None], *, size: Size, narrow: Size = (4.4, 4.0), wide: bool = False
) -> Picture:
    """A chart that `draw(figure, is_narrow)` fills, of `size` and, on a narrow page, of `narrow` inches.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    with needs("report"):
        import matplotlib as mpl
        from matplotlib.figure import Figure
    drawings, png = [], b""
    for inches in (size, narrow):
        with mpl.rc_context(page_style(f"{name} {inches}")):
            figure = Figure(figsize=inches, layout="constrained")
            draw(figure, inches is narrow)
            sink = io.StringIO()
            figure.savefig(sink, format="svg", transparent=True, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
            drawings.append(page_svg(sink.getvalue(), caption))
            png = png or _png_of(figure)
    return Picture(name, caption, png, wide, tuple(drawings))


def tiles(
    name: str,
    caption: str,
    rows: Sequence[TileRow],
    *,
    layers: tuple[str, ...] = ("image",),
    legend: tuple[tuple[str, str], ...] = (),
) -> Picture:
    """Small images in rows, what those of a tile and what colours in them are; the PNG file holds them with their words.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    with needs("report"):
        from matplotlib.figure import Figure
        from matplotlib.image import imread
    columns = max(len(row.tiles) for row in rows)
    deep = max(len(tile.images) for row in rows for tile in row.tiles)
    words = max(len(tile.words) for row in rows for tile in row.tiles)
    figure = Figure(figsize=(1.1 * columns + 0.8, (1.15 * deep + 0.17 * words) * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows) * deep, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for line, row in enumerate(rows):
        for column, tile in enumerate(row.tiles):
            for depth, image in enumerate(tile.images):
                grid[line * deep + depth, column].imshow(imread(io.BytesIO(image)), cmap="gray", vmin=0, vmax=1)
            grid[line * deep, column].set_title("\n".join(tile.words), fontsize=7, parse_math=False)
        if row.name:
            grid[line * deep, 0].text(
                -0.1, 0.5, row.name, transform=grid[line * deep, 0].transAxes, ha="right", fontsize=9, parse_math=False
            )
    if legend:
        from matplotlib.patches import Patch

        handles = [Patch(facecolor=colour, label=word) for colour, word in legend]
        figure.legend(handles=handles, loc="outside upper left", ncols=columns, fontsize=7, frameon=False)
    return Picture(name, caption, _png_of(figure), wide=True, rows=tuple(rows), layers=layers, legend=legend)


def short(label: str) -> str:
    """A name of a class for an axis or a legend, of at most 14 letters."""
    return label if len(label) <= _LETTERS else f"{label[: _LETTERS - 1]}…"


def tile_of(*images: np.ndarray, words: tuple[str, ...] = ()) -> Tile:
    """A tile of images ``[H, W]`` or ``[H, W, 3]`` in [0, 1], of which pixels are left out until they fit it.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    with needs("report"):
        from matplotlib.image import imsave
    files = []
    less = -(-max(max(image.shape[:2]) for image in images) // MOST_SIDE)
    for image in images:
        sink = io.BytesIO()
        imsave(sink, np.asarray(image[::less, ::less]), cmap="gray", vmin=0, vmax=1, format="png", metadata={"Software": None})
        files.append(sink.getvalue())
    return Tile(tuple(files), words, coarse=max(max(image.shape[:2]) for image in images) <= _COARSE)


def _png_of(figure: Figure) -> bytes:
    """The figure as a PNG file, the same bytes for the same figure."""
    sink = io.BytesIO()
    figure.savefig(sink, format="png", dpi=110, facecolor="white", metadata={"Software": None})
    return sink.getvalue()
