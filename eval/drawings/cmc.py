"""Cumulative match characteristic: how often the right person is among the first so many of a search."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from eval.drawings.style import Drawing, Palette, percent_tick
from eval.results.search_results import Identification

_RANKS = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 100000)


def cmc(name: str, title: str, identification: Identification) -> Drawing:
    """Share of searches whose person is among the first `rank`, with intervals."""
    ranks = np.array([point.rank for point in identification.cmc])
    rates = np.array([(point.rate.value, point.rate.low, point.rate.high) for point in identification.cmc])

    def plot(figure: Figure, palette: Palette) -> None:
        axes = figure.add_subplot()
        axes.fill_between(ranks, rates[:, 1], rates[:, 2], color=palette.genuine, alpha=0.16, linewidth=0)
        axes.plot(ranks, rates[:, 0], color=palette.genuine, marker="o", markersize=3)
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_locator(FixedLocator([rank for rank in _RANKS if rank <= ranks[-1]]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda rank, _: f"{rank:,.0f}"))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda rate, _: percent_tick(rate)))
        axes.set_xlim(0.94, max(ranks[-1] * 1.06, 1.5))
        axes.set_ylim(max(0.0, 1 - 1.15 * max(1 - float(rates[:, 1].min()), 0.02)), 1.002)
        axes.set_xlabel("Rank: the person is among the first so many")
        axes.set_ylabel("Searches")

    return Drawing(name, title, plot)
