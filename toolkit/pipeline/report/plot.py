"""The accuracy/latency plot as SVG that takes its colours from the page, so that one file suits light, dark and paper."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolkit.core import Precision, needs

from .. import text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Stand-ins that matplotlib draws with; each becomes a CSS variable of the page.
INK, MUTED, PAPER, BAD = "#010101", "#020202", "#030303", "#030304"
_COLOURS = {precision: f"#0400{number:02x}" for number, precision in enumerate(Precision)}
_VARIABLES = {INK: "ink", MUTED: "line", PAPER: "paper", BAD: "bad"} | {colour: f"p-{precision}" for precision, colour in _COLOURS.items()}
_MARKERS = {"onnxruntime": "o", "openvino": "s", "litert": "^", "tensorflow": "D", "torch": "P"}
_OTHER_MARKER = "X"

_OFFSETS = [(7, 5), (7, -12), (-7, 5), (-7, -12), (0, 10), (0, -18), (12, 18), (-12, 18), (12, -26), (-12, -26), (0, 30), (0, -38)]
_BESIDE, _NEAR = 12, 14  # points


@dataclass(frozen=True)
class Point:
    """One artifact in one engine.

    Args:
        label: its name.
        engine: decides the mark.
        precision: decides the colour.
        latency: nanoseconds with their interval.
        quality: the task's metric in its unit, shares in percent, with its interval.
        passed: whether it passed parity.
        recommended: has a ring.
        higher_is_better: the metric's direction.
    """

    label: str
    engine: str
    precision: Precision
    latency: tuple[float, float, float]
    quality: tuple[float, float, float]
    passed: bool
    recommended: bool = False
    higher_is_better: bool = True

    @property
    def gain(self) -> float:
        """The metric, the larger the better."""
        return self.quality[0] if self.higher_is_better else -self.quality[0]


def pareto_front(points: Sequence[Point]) -> tuple[Point, ...]:
    """The points that passed parity and that no other such point beats in latency without losing quality, the fastest first."""
    front: list[Point] = []
    for point in sorted((p for p in points if p.passed), key=lambda p: (p.latency[0], -p.gain)):
        if not front or point.gain > front[-1].gain:
            front.append(point)
    return tuple(front)


def pareto_svg(
    points: Sequence[Point], *, title: str, metric: str, width: float, height: float, all_labels: bool, whole: float = math.inf
) -> str:
    """An SVG element of `width` x `height` inches with error bars, the front, and labels at the points.

    Args:
        points: what to draw, at least one.
        title: what a screen reader says for the picture.
        metric: the name of the y axis, with its unit.
        width: inches at 72 points each.
        height: the same.
        all_labels: False labels only the front and the recommended one, for many points or a narrow page.
        whole: what the metric cannot exceed.
    """
    with needs("report"):
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    front = pareto_front(points)
    with mpl.rc_context(page_style(f"{title} {width}")):
        figure = Figure(figsize=(width, height), layout="constrained")
        canvas = FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        _draw_points(axes, points, front)
        _draw_axes(axes, metric, whole, slowest=max(p.latency[2] for p in points))
        _draw_legend(axes, points, columns=3 if width < 6 else 6)
        canvas.draw()  # the labels are placed where they do not overlap: that needs the final layout
        figure.set_layout_engine("none")
        _draw_labels(axes, points if all_labels else [p for p in points if p in front or p.recommended], points, canvas.get_renderer())
        sink = io.StringIO()
        figure.savefig(sink, format="svg", transparent=True, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return page_svg(sink.getvalue(), title)


def page_style(salt: str) -> dict[str, Any]:
    """Settings of matplotlib for a drawing that `page_svg` makes an element of a page; `salt` makes its names unique in the page."""
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": salt,
        "font.size": 9,
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": MUTED,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "text.parse_math": False,
    }


def power_of_ten(value: float, _: int = 0) -> str:
    """A tick of a logarithmic axis, ``1e-8``: matplotlib's own are TeX, which a page does not set."""
    exponent = round(math.log10(value))
    return f"1e{exponent}" if exponent else "1"


def _draw_points(axes: Axes, points: Sequence[Point], front: Sequence[Point]) -> None:
    if len(front) > 1:
        x, y = [p.latency[0] for p in front], [p.quality[0] for p in front]
        axes.step(x, y, where="post", color=MUTED, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)
    for p in points:
        colour = _COLOURS[p.precision]
        axes.errorbar(
            p.latency[0],
            p.quality[0],
            xerr=_arms(p.latency),
            yerr=_arms(p.quality),
            fmt="none",
            color=colour,
            elinewidth=1,
            capsize=2,
            alpha=0.6,
            zorder=2,
        )
        if p.recommended:
            axes.plot(p.latency[0], p.quality[0], "o", markersize=14, markerfacecolor="none", markeredgecolor=INK, zorder=2)
        axes.plot(
            p.latency[0],
            p.quality[0],
            _MARKERS.get(p.engine, _OTHER_MARKER),
            markersize=7,
            markerfacecolor=colour if p.passed else PAPER,
            markeredgecolor=colour if not p.passed else PAPER,
            markeredgewidth=1.4 if not p.passed else 0.8,
            zorder=3,
        )


def _arms(interval: tuple[float, float, float]) -> list[list[float]]:
    value, low, high = interval
    return [[max(0.0, value - low)], [max(0.0, high - value)]]


def _draw_axes(axes: Axes, metric: str, whole: float, *, slowest: float) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.margins(y=0.14)
    axes.autoscale_view()
    bottom, top = axes.get_ylim()
    if top > whole:  # a mark at 100 % is drawn whole, and no tick stands beyond it
        axes.set_ylim(bottom, min(top, whole + 0.04 * (top - bottom)))
    axes.set_xlim(0, slowest * 1.12)  # room for a label beside the last point
    axes.set_xlabel("latency of a call, median (left is better)")
    axes.set_ylabel(metric)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: text.duration(value) if value > 0 else "0"))
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.set_yticks([tick for tick in axes.get_yticks() if axes.get_ylim()[0] <= tick <= min(whole, axes.get_ylim()[1])])
    axes.grid(visible=True, color=MUTED, alpha=0.25, linewidth=0.6)


def _draw_legend(axes: Axes, points: Sequence[Point], *, columns: int) -> None:
    from matplotlib.lines import Line2D

    precisions = [p for p in Precision if any(point.precision is p for point in points)]
    engines = sorted({point.engine for point in points})
    handles: list[Any] = [
        Line2D([], [], linestyle="", marker="s", markersize=8, color=_COLOURS[precision], label=precision.value) for precision in precisions
    ]
    handles += [
        Line2D([], [], linestyle="", marker=_MARKERS.get(engine, _OTHER_MARKER), color=INK, markerfacecolor="none", label=engine)
        for engine in engines
    ]
    if any(not p.passed for p in points):
        handles.append(Line2D([], [], linestyle="", marker="o", color=MUTED, markerfacecolor=PAPER, label="not passed: hollow"))
    axes.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0, 1.01),
        ncols=columns,
        frameon=False,
        handletextpad=0.2,
        columnspacing=1,
    )


def _draw_labels(axes: Axes, labelled: Sequence[Point], points: Sequence[Point], renderer: Any) -> None:
    from matplotlib.text import Text
    from matplotlib.transforms import Bbox

    places = {id(p): axes.transData.transform((p.latency[0], p.quality[0])) for p in points}
    marks = {key: Bbox.from_bounds(x - 5, y - 5, 10, 10) for key, (x, y) in places.items()}
    # What stands close above or below a mark is read as its name.
    near = {key: Bbox.from_bounds(x - 5, y - _NEAR, 10, 2 * _NEAR) for key, (x, y) in places.items()}
    taken: list[Bbox] = []
    frame = axes.get_window_extent(renderer)
    # From right to left, so that the lines of two labels do not cross.
    for p in sorted(labelled, key=lambda point: (not point.recommended, -point.latency[0])):
        best = None
        for dx, dy in _OFFSETS:
            label = axes.annotate(
                p.label,
                (p.latency[0], p.quality[0]),
                xytext=(dx, dy),
                textcoords="offset points",
                ha="left" if dx > 0 else "right" if dx < 0 else "center",
                fontsize=8,
                color=_COLOURS[p.precision],
                fontweight="bold" if p.recommended else "normal",
                zorder=4,
                # On paper, so that the bars of others do not strike it through.
                bbox={"boxstyle": "square,pad=0.1", "facecolor": PAPER, "edgecolor": "none", "alpha": 0.75},
                # A label that is not beside its mark is tied to it.
                arrowprops={"arrowstyle": "-", "color": _COLOURS[p.precision], "linewidth": 0.7, "shrinkB": 4}
                if abs(dy) > _BESIDE
                else None,
            )
            label.update_positions(renderer)
            box = Text.get_window_extent(label, renderer)  # without its arrow
            outside = box.x0 < frame.x0 or box.x1 > frame.x1 + 4 or box.y0 < frame.y0 or box.y1 > frame.y1
            others = [near[key] if abs(dy) <= _BESIDE else marks[key] for key in near if key != id(p)]
            cost = sum(box.overlaps(other) for other in (*taken, marks[id(p)], *others)) + 3 * outside
            if best is None or cost < best[0]:
                if best is not None:
                    best[1].remove()
                best = (cost, label, box)
            else:
                label.remove()
            if cost == 0:
                break
        assert best is not None
        if best[0] and not p.recommended:  # without room for it: the table has its name
            best[1].remove()
        else:
            taken.append(best[2])


def page_svg(drawn: str, title: str) -> str:
    """The drawn file as an element of a page: no prolog, no metadata, no fixed size, no style sheet; the page's font and colours."""
    from markupsafe import escape

    svg = drawn[drawn.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"', "", svg)
    svg = svg.replace("xlink:href", "href")
    opening, box = svg[: svg.index(">") + 1], re.search(r'viewBox="([^"]*)"', svg)
    assert box is not None
    svg = f'<svg viewBox="{box[1]}" role="img" aria-label="{escape(title)}">' + svg[len(opening) :]
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, count=1, flags=re.DOTALL)  # it would style the whole page
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)  # several plots share a page, and an id must be unique
    svg = re.sub(r"font-family: [^;\"]*", "font-family: var(--font)", svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var(--{variable})")
    return svg
