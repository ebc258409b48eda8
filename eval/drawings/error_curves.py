"""DET and ROC: the trade between false accepts and false rejects, with the band of its intervals.

A DET curve (Martin et al. 1997) has both axes on the normal-deviate scale, on which normal scores make straight lines.
"""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator
from numpy.typing import NDArray
from scipy.stats import norm

from eval.drawings.curves import Band, KindCurves, thin
from eval.drawings.style import Drawing, Palette, percent_tick

FloatArray = NDArray[np.float64]

_TICKS = np.array([1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9])
_HIGHEST = 0.6
_LINES: tuple[str | tuple[int, tuple[int, ...]], ...] = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 1, 1, 1)))  # type: ignore[assignment]


def det(name: str, title: str, curves: KindCurves, trials: tuple[int, int]) -> Drawing:
    """FRR against FAR; `trials` are the numbers of genuine and impostor trials, below whose rates nothing is drawn."""
    far, frr = thin(curves.curve.far, curves.curve.frr)
    floors = 0.5 / trials[1], 0.5 / trials[0]

    def plot(figure: Figure, palette: Palette) -> None:
        axes = figure.add_subplot()
        if curves.band:
            _band(axes, curves.band, floors, palette)
        _det_axes(axes, floors, palette)
        axes.plot(_deviate(far, floors[0]), _deviate(frr, floors[1]), color=palette.genuine)

    return Drawing(name, title, plot)


def overlay(name: str, title: str, curves: Mapping[str, tuple[FloatArray, FloatArray]]) -> Drawing:
    """The DET curves of several models, by name: FAR, falling, and FRR, rising, float64 (T,) each."""
    thinned = {label: thin(far, frr) for label, (far, frr) in curves.items()}
    lowest = [[rate[rate > 0].min(initial=0.05) for rate in pair] for pair in thinned.values()]
    floors = min(pair[0] for pair in lowest) / 2, min(pair[1] for pair in lowest) / 2

    def plot(figure: Figure, palette: Palette) -> None:
        axes = figure.add_subplot()
        _det_axes(axes, floors, palette)
        for number, (label, (far, frr)) in enumerate(thinned.items()):
            colour = palette.series[number % len(palette.series)]
            style = _LINES[number % len(_LINES)]
            axes.plot(_deviate(far, floors[0]), _deviate(frr, floors[1]), color=colour, linestyle=style, label=label)
        legend = figure.legend(loc="outside lower left", ncols=1, handlelength=2.6)
        for text in legend.get_texts():
            text.set_parse_math(False)

    return Drawing(name, title, plot, size=(4.9, 4.1 + 0.2 * len(thinned)))


def roc(name: str, title: str, curves: KindCurves, impostors: int) -> Drawing:
    """Share of genuine attempts accepted against FAR on a logarithmic axis."""
    far, frr = thin(curves.curve.far, curves.curve.frr)
    floor = 0.5 / impostors

    def plot(figure: Figure, palette: Palette) -> None:
        axes = figure.add_subplot()
        worst = float(frr[-1])
        if band := curves.band:
            axes.fill_between(band.far, 1 - band.high, 1 - band.low, color=palette.genuine, alpha=0.16, linewidth=0)
            worst = float(band.high[0])
        axes.plot(far, 1 - frr, color=palette.genuine)
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlim(floor, 1)
        axes.set_ylim(max(0.0, 1 - 1.15 * max(worst, 0.02)), 1.002)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda rate, _: percent_tick(rate)))
        axes.tick_params(axis="x", labelrotation=40)
        axes.set_xlabel("False-accept rate (logarithmic)")
        axes.set_ylabel("Genuine attempts accepted")

    return Drawing(name, title, plot)


def _det_axes(axes: Axes, floors: tuple[float, float], palette: Palette) -> None:
    diagonal = np.linspace(norm.ppf(max(floors)), norm.ppf(_HIGHEST), 2)
    axes.plot(diagonal, diagonal, color=palette.muted, linewidth=0.8, linestyle=(0, (3, 3)))
    for set_ticks, floor in ((axes.set_xticks, floors[0]), (axes.set_yticks, floors[1])):
        shown = _TICKS[(floor <= _TICKS) & (_TICKS <= _HIGHEST)]
        set_ticks(norm.ppf(shown), [percent_tick(rate) for rate in shown])
    axes.set_xlim(norm.ppf(floors[0]), norm.ppf(_HIGHEST))
    axes.set_ylim(norm.ppf(floors[1]) - 0.08, norm.ppf(_HIGHEST))
    axes.set_xlabel("False-accept rate")
    axes.set_ylabel("False-reject rate")
    axes.tick_params(axis="x", labelrotation=40)


def _band(axes: Axes, band: Band, floors: tuple[float, float], palette: Palette) -> None:
    ends = (_deviate(band.low, floors[1]), _deviate(band.high, floors[1]))
    axes.fill_between(_deviate(band.far, floors[0]), *ends, color=palette.genuine, alpha=0.16, linewidth=0)


def _deviate(rate: FloatArray, floor: float) -> FloatArray:
    return np.asarray(norm.ppf(np.clip(rate, floor, 1 - 1e-9)))
