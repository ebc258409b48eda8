"""The report's figures as inline SVG that follows the page: text in the page's font, colours from its CSS variables."""

import io
import re
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator
from numpy.typing import NDArray
from scipy.stats import norm

from eval.bootstrap import PersonBootstrap
from eval.metrics import error_curve
from eval.trials import Trials

FloatArray = NDArray[np.float64]

# Each stand-in colour becomes the CSS variable of that name; no other drawing uses these exact values.
_COLOURS = {"ink": "#010203", "muted": "#040506", "rule": "#070809", "genuine": "#0a0b0c", "impostor": "#0d0e0f"}
_INK, _MUTED, _RULE, _GENUINE, _IMPOSTOR = _COLOURS.values()
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 9,
    "text.color": _INK,
    "axes.edgecolor": _RULE,
    "axes.labelcolor": _MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _RULE,
    "grid.linewidth": 0.6,
    "xtick.color": _RULE,
    "ytick.color": _RULE,
    "xtick.labelcolor": _MUTED,
    "ytick.labelcolor": _MUTED,
    "lines.linewidth": 1.6,
    "lines.solid_joinstyle": "round",
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}
_TICKS = np.array([1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9])
_CURVE_POINTS = 400
_BAND_POINTS = 48


def figures(
    genuine: Trials, impostor: Trials, bootstrap: PersonBootstrap, threshold: float, salt: str
) -> dict[str, str]:
    """Name → SVG element: `det`, `roc`, and `histogram` (for phones) or `wide_histogram`, with a line at `threshold`.

    `salt` keeps the ids inside the elements apart when a page shows the figures of several kinds of impostor.
    """
    far, frr = _curve(genuine, impostor)
    band_far, low, high = _band(impostor, bootstrap)
    floors = 0.5 / len(impostor), 0.5 / len(genuine)
    return {
        "det": _draw(
            f"{salt}-det",
            "DET curve: false-reject rate against false-accept rate",
            lambda axes: _det(axes, far, frr, (band_far, low, high), floors),
        ),
        "roc": _draw(
            f"{salt}-roc",
            "ROC curve: share of genuine attempts accepted against false-accept rate",
            lambda axes: _roc(axes, far, frr, (band_far, low, high), floors[0]),
        ),
        **{
            name: _draw(
                f"{salt}-{name}",
                "Histogram of genuine and impostor scores",
                lambda axes: _histogram(axes, genuine.scores, impostor.scores, threshold),
                size=size,
            )
            for name, size in (("histogram", (4.3, 2.6)), ("wide_histogram", (8.8, 2.9)))
        },
    }


def _curve(genuine: Trials, impostor: Trials) -> tuple[FloatArray, FloatArray]:
    """FAR and FRR along the curve, thinned evenly in both rates so that no bend is lost."""
    curve = error_curve(genuine.scores, impostor.scores)
    along = norm.ppf(np.clip(curve.frr, 1e-9, 1 - 1e-9)) - norm.ppf(np.clip(curve.far, 1e-9, 1 - 1e-9))
    wanted = np.linspace(along[0], along[-1], _CURVE_POINTS)
    kept = np.unique(np.searchsorted(along, wanted).clip(0, len(along) - 1))
    kept = kept[curve.far[kept] > 0]
    return curve.far[kept], curve.frr[kept]


def _band(impostor: Trials, bootstrap: PersonBootstrap) -> tuple[FloatArray, FloatArray, FloatArray]:
    far = np.geomspace(1 / len(impostor), 0.6, _BAND_POINTS)
    ends = [np.quantile(bootstrap.frr_replicates(float(target)), [0.025, 0.975]) for target in far]
    low, high = np.array(ends).T
    return far, low, high


def _det(
    axes: Axes, far: FloatArray, frr: FloatArray, band: tuple[FloatArray, ...], floors: tuple[float, float]
) -> None:
    def x(rate: FloatArray) -> FloatArray:
        return np.asarray(norm.ppf(np.clip(rate, floors[0], 1 - 1e-9)))

    def y(rate: FloatArray) -> FloatArray:
        return np.asarray(norm.ppf(np.clip(rate, floors[1], 1 - 1e-9)))

    axes.fill_between(x(band[0]), y(band[1]), y(band[2]), color=_GENUINE, alpha=0.16, linewidth=0)
    diagonal = np.linspace(norm.ppf(max(floors)), norm.ppf(0.6), 2)
    axes.plot(diagonal, diagonal, color=_MUTED, linewidth=0.8, linestyle=(0, (3, 3)))
    axes.plot(x(far), y(frr), color=_GENUINE)
    for set_ticks, floor in ((axes.set_xticks, floors[0]), (axes.set_yticks, floors[1])):
        shown = _TICKS[(floor <= _TICKS) & (_TICKS <= 0.6)]
        set_ticks(norm.ppf(shown), [_percent(rate) for rate in shown])
    axes.set_xlim(norm.ppf(floors[0]), norm.ppf(0.6))
    axes.set_ylim(norm.ppf(floors[1]) - 0.08, norm.ppf(0.6))
    axes.set_xlabel("False-accept rate")
    axes.set_ylabel("False-reject rate")
    axes.tick_params(axis="x", labelrotation=40)


def _roc(axes: Axes, far: FloatArray, frr: FloatArray, band: tuple[FloatArray, ...], floor: float) -> None:
    axes.fill_between(band[0], 1 - band[2], 1 - band[1], color=_GENUINE, alpha=0.16, linewidth=0)
    axes.plot(far, 1 - frr, color=_GENUINE)
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(floor, 1)
    axes.set_ylim(max(0.0, 1 - 1.15 * max(float(band[2][0]), 0.02)), 1.002)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: _percent(rate)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda rate, _: _percent(rate)))
    axes.set_xlabel("False-accept rate (logarithmic)")
    axes.tick_params(axis="x", labelrotation=40)
    axes.set_ylabel("Genuine attempts accepted")


def _histogram(axes: Axes, genuine: FloatArray, impostor: FloatArray, threshold: float) -> None:
    sides = {"impostor": impostor[np.isfinite(impostor)], "genuine": genuine[np.isfinite(genuine)]}
    ends = [np.quantile(scores, [0.01, 0.99]) for scores in sides.values()]
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    low, high = min(low, threshold), max(high, threshold)
    margin = 0.04 * (high - low) or 1.0
    bins = np.linspace(low - margin, high + margin, 101)
    for name, scores in sides.items():
        colour = _COLOURS[name]
        heights = np.histogram(scores, bins)[0] / len(scores) / np.diff(bins)
        axes.stairs(heights, bins, fill=True, color=colour, alpha=0.22, linewidth=0)
        axes.stairs(heights, bins, color=colour, linewidth=1.3, label=name.capitalize())
    axes.axvline(threshold, color=_INK, linewidth=1, linestyle=(0, (4, 2)), label="Threshold at FAR 1 %")
    axes.set_xlim(bins[0], bins[-1])
    axes.set_ylim(bottom=0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("Score: natural-log likelihood ratio (higher = more genuine)")
    axes.legend(loc="upper left", labelcolor=_INK)


def _draw(name: str, title: str, plot: Callable[[Axes], None], size: tuple[float, float] = (4.3, 3.4)) -> str:
    # The salt makes ids, which SVG shares with the whole page, the same in every run and different in every figure.
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=size)
        plot(figure.add_subplot())
        text = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(text, format="svg", transparent=True, metadata=nothing)
    return _for_page(text.getvalue(), title)


def _for_page(svg: str, title: str) -> str:
    """The bare <svg> element, sized by the page, with a name for screen readers."""
    svg = svg[svg.index("<svg") :]
    for variable, colour in _COLOURS.items():
        svg = svg.replace(colour, f"var(--{variable})")
    svg = re.sub(r"<svg[^>]*(viewBox=\"[^\"]*\")[^>]*>", rf'<svg \1 role="img" aria-label="{title}">', svg, count=1)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)  # the same in every figure, and nothing refers to them
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    return re.sub(r"font: ([\d.]+px)[^;\"]*", r"font: \1 var(--sans)", svg)


def _percent(rate: float) -> str:
    return f"{100 * rate:.6g} %"
