"""Figures of a comparison: learning curves on background people, and spectra of the policy people's embeddings."""

import csv
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from eval.drawings.style import Drawing, Palette, percent_tick
from train.compare.results import ComparedRecipe
from train.curve import CURVE

FloatArray = NDArray[np.float64]
Curve = tuple[FloatArray, FloatArray]

_DASHES = ("-", "--", "-.", ":")
_SIZE = (7.2, 4.2)


def read_curve(folder: Path) -> Curve | None:
    """Steps and background EER of a run, float64 (E,) each; of several members, of the first one."""
    file = next((path for path in (folder / CURVE, folder / "member-0" / CURVE) if path.is_file()), None)
    if file is None:
        return None
    with file.open(newline="") as stream:
        rows = [(float(row["step"]), float(row["eer"])) for row in csv.DictReader(stream)]
    steps, rates = (np.array(column) for column in zip(*rows, strict=True)) if rows else (np.empty(0), np.empty(0))
    return steps, rates


def learning_curves(curves: Mapping[str, Sequence[Curve]]) -> Drawing:
    """Recipe → curve of every seed: their mean as far as all reach, and each of them thinly."""

    def plot(figure: Figure, palette: Palette) -> None:
        axes = figure.subplots()
        for (label, found), (colour, dash) in zip(curves.items(), _looks(palette), strict=False):
            for steps, rates in found:
                axes.plot(steps, rates, dash, color=colour, linewidth=0.6, alpha=0.4)
            shared = min((len(steps) for steps, _ in found), default=0)
            if shared:
                mean = np.mean([rates[:shared] for _, rates in found], axis=0)
                # A run looked at once has a point and no line.
                axes.plot(found[0][0][:shared], mean, dash, color=colour, marker=".", label=label)
        axes.set(xlabel="step", ylabel="EER of background people, all pairs", ylim=(0, None))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: percent_tick(value)))
        _legend(figure)

    return Drawing("curves", "Learning curves", plot, _SIZE)


def spectra(recipes: Sequence[ComparedRecipe]) -> Drawing:
    """Singular values of the policy people's embeddings, centred, as shares of their sum; means over seeds."""

    def plot(figure: Figure, palette: Palette) -> None:
        axes = figure.subplots()
        for recipe, (colour, dash) in zip(recipes, _looks(palette), strict=False):
            found = [run.space for run in recipe.runs if run.space is not None]
            if not found:
                continue
            mean = np.mean([space.singular_values for space in found], axis=0)
            rank = float(np.mean([space.effective_rank for space in found]))
            positive = mean > 0
            axes.plot(
                np.flatnonzero(positive) + 1, mean[positive], dash, color=colour, label=f"{recipe.label} ({rank:.0f})"
            )
        axes.set(xlabel="principal axis", ylabel="share of the singular values", yscale="log")
        _legend(figure)

    return Drawing("spectra", "Spectra of the embeddings (effective rank)", plot, _SIZE)


def _looks(palette: Palette) -> Sequence[tuple[str, str]]:
    """Colour and dash of each line: all colours in one dash, then in the next."""
    looks = [(colour, dash) for dash in _DASHES for colour in palette.series]
    endless = cycle(looks)
    return [next(endless) for _ in range(1000)]


def _legend(figure: Figure) -> None:
    axes = figure.axes[0]
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside right upper", fontsize=7)
