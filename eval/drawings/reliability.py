"""Reliability diagram: how often the claim is genuine where the scores state a probability, and on how many trials.

Points on the diagonal keep their word; below it the scores promise too much (DeGroot & Fienberg 1983).
"""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from eval.drawings.style import Drawing, Palette, percent_tick
from eval.results.kind_results import Calibration


def reliability(name: str, title: str, calibration: Calibration) -> Drawing:
    """Share found against probability stated, with intervals, above the number of trials in each bin."""
    bins = [part for part in calibration.bins if part.genuine + part.impostor]

    def plot(figure: Figure, palette: Palette) -> None:
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        stated = np.array([part.stated for part in bins])
        found = np.array([(part.found.value, part.found.low, part.found.high) for part in bins]).reshape(-1, 3)
        above.plot([0, 1], [0, 1], color=palette.muted, linewidth=0.8, linestyle=(0, (3, 3)))
        above.vlines(stated, found[:, 1], found[:, 2], color=palette.genuine, alpha=0.4, linewidth=2.5)
        above.plot(stated, found[:, 0], color=palette.genuine, marker="o", markersize=4, linewidth=1)
        above.set_ylim(-0.03, 1.03)
        above.set_ylabel("Genuine, found")
        above.set_yticks([0, 0.25, 0.5, 0.75, 1])
        above.yaxis.set_major_formatter(FuncFormatter(lambda rate, _: percent_tick(rate)))
        left, width = [part.low for part in bins], [part.high - part.low for part in bins]
        for side, colour, shift in (("genuine", palette.genuine, 0.5), ("impostor", palette.impostor, 0.08)):
            counts = [getattr(part, side) for part in bins]
            bars = [start + shift * wide for start, wide in zip(left, width, strict=True)]
            below.bar(
                bars, counts, [0.42 * wide for wide in width], align="edge", color=colour, label=side.capitalize()
            )
        below.set_yscale("symlog", linthresh=1)
        below.yaxis.set_major_locator(MaxNLocator(3))
        below.set_yticks(_decades(max(part.genuine + part.impostor for part in bins)))
        below.yaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:,.0f}"))
        below.minorticks_off()
        below.set_ylabel("Trials")
        below.set_xlim(-0.02, 1.02)
        below.set_xticks([0, 0.25, 0.5, 0.75, 1])
        below.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: percent_tick(rate)))
        below.set_xlabel("Probability of being genuine that the score states")
        figure.legend(*below.get_legend_handles_labels(), loc="outside lower left", ncols=2, handlelength=1.2)

    return Drawing(name, title, plot, size=(4.3, 4.0))


def _decades(most: int) -> list[int]:
    """Two or three powers of ten up to `most`, with 0."""
    highest = max(int(np.log10(max(most, 1))), 1)
    return [0, *(10**power for power in sorted({max(highest // 2, 1), highest}))]
