"""The finding as one HTML file that needs nothing else, with the error over the depth of the network as a curve."""

from __future__ import annotations

import io
from collections.abc import Sequence

from toolkit.core import needs

from ..report.html import environment
from ..report.plot import BAD, INK, MUTED, page_style, page_svg, power_of_ten
from .finding import Finding, Layer

PAGE = "report.html"
_TEMPLATE = "debug.html"
# What is exactly equal has no place on a logarithmic axis; it is drawn at its foot.
_FOOT = 1e-8
_LETTERS = 4


def render(finding: Finding) -> str:
    """The page; raises `MissingDependencyError`."""
    curves = [_curve(finding.layers, width=width, height=height) for width, height in ((9.4, 3.8), (4.4, 4.4))]
    foot = f"{_FOOT:.0e}".replace("e-0", "e-") if any(min(layer.error, layer.own_error) < _FOOT for layer in finding.layers) else ""
    return environment().get_template(_TEMPLATE).render(f=finding, wide=curves[0], narrow=curves[1], foot=foot)


def _curve(layers: Sequence[Layer], *, width: float, height: float) -> str:
    with needs("report"):
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator
    title = f"error over depth, {len(layers)} layers; the largest is {max(layer.error for layer in layers):.1e}"
    with mpl.rc_context(page_style(f"{title} {width}")):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        depth = range(1, len(layers) + 1)
        axes.plot(depth, [max(layer.error, _FOOT) for layer in layers], "o-", markersize=4, color=INK, label="from the inputs on")
        own = [max(layer.own_error, _FOOT) for layer in layers]
        axes.plot(depth, own, "s:", markersize=4, color=MUTED, label="of the layer alone")
        wrong = [(place, max(layer.own_error, _FOOT)) for place, layer in enumerate(layers, 1) if layer.diverges]
        if wrong:
            axes.plot(*zip(*wrong, strict=True), "X", markersize=10, color=BAD, label="diverges")
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(power_of_ten)
        axes.set_xlabel("layers, in the order of computation")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if max(len(layer.layer) for layer in layers) <= _LETTERS:
            # The layers that are compared are not all: their names, where there is room for them.
            axes.xaxis.set_major_formatter(lambda place, _: layers[round(place) - 1].layer if 1 <= place <= len(layers) else "")
        axes.set_ylabel("largest error / root mean square")
        axes.grid(visible=True, color=MUTED, alpha=0.25, linewidth=0.6)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.01), ncols=3 if width > 6 else 1, frameon=False)
        sink = io.StringIO()
        figure.savefig(sink, format="svg", transparent=True, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return page_svg(sink.getvalue(), title)
