"""Where genuine and impostor scores lie, and the threshold between them."""

from matplotlib.figure import Figure

from eval.drawings.curves import ScoreHistogram
from eval.drawings.style import Drawing, Palette

NARROW, WIDE = (4.3, 2.7), (8.8, 2.9)
"""Sizes for a phone and for a page, in inches."""


def histogram(
    name: str, title: str, scores: ScoreHistogram, threshold: float, label: str, size: tuple[float, float]
) -> Drawing:
    """Densities of both sides, with a line at `threshold` that `label` names."""
    edges, genuine, impostor = scores.bars()

    def plot(figure: Figure, palette: Palette) -> None:
        axes = figure.add_subplot()
        for side, heights, colour in (
            ("Impostor", impostor, palette.impostor),
            ("Genuine", genuine, palette.genuine),
        ):
            axes.stairs(heights, edges, fill=True, color=colour, alpha=0.22, linewidth=0)
            axes.stairs(heights, edges, color=colour, linewidth=1.3, label=side)
        axes.axvline(threshold, color=palette.ink, linewidth=1, linestyle=(0, (4, 2)), label=label)
        axes.set_xlim(min(edges[0], threshold), max(edges[-1], threshold))
        axes.set_ylim(bottom=0)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("Score: natural-log likelihood ratio (higher = more genuine)")
        # Outside, where it hides none of the bars, and below, where no title stands.
        figure.legend(loc="outside lower left", ncols=3, handlelength=1.6, columnspacing=1.4)

    return Drawing(name, title, plot, size)
