"""The map of the embedding: samples as points, a few people told apart by colour and shape, forgeries as crosses."""

from matplotlib.figure import Figure

from eval.drawings.embedding_map import EmbeddingMap
from eval.drawings.style import Drawing, Palette

_SHAPES = ("o", "^", "s", "D")


def people_map(name: str, title: str, mapped: EmbeddingMap) -> Drawing:
    """Positions alone have no meaning, only which points are neighbours; so there are no axes and no names."""

    def plot(figure: Figure, palette: Palette) -> None:
        axes = figure.add_subplot()
        genuine, forged = ~mapped.is_forgery, mapped.is_forgery
        others = mapped.person < 0
        x, y = mapped.positions.T
        for own, shape in ((others & genuine, "o"), (others & forged, "x")):
            axes.scatter(x[own], y[own], s=8, color=palette.muted, alpha=0.35, marker=shape, linewidth=0.6)
        for person in range(mapped.shown):
            colour = palette.series[person % len(palette.series)]
            own = mapped.person == person
            axes.scatter(x[own & forged], y[own & forged], s=20, color=colour, marker="x", linewidth=1)
            shape = _SHAPES[person // len(palette.series) % len(_SHAPES)]
            axes.scatter(x[own & genuine], y[own & genuine], s=20, color=colour, marker=shape, linewidth=0)
        axes.set_aspect("equal", adjustable="datalim")
        axes.set_xticks([])
        axes.set_yticks([])
        for side in axes.spines.values():
            side.set_visible(True)

    return Drawing(name, title, plot, size=(6.4, 4.4))
