"""How every figure looks, and its two lives: inside the page, where it follows the page's colours, and as a file.

A drawing is made with a palette. Inside the page each colour of the palette is a stand-in that becomes a CSS variable,
so that one SVG serves light and dark; in a file the colours are those of the light page, and a title says what is seen.
"""

import html
import io
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure


@dataclass(frozen=True)
class Palette:
    """Colours by their role; `series` tells models or people apart."""

    page: str
    ink: str
    muted: str
    rule: str
    genuine: str
    impostor: str
    series: tuple[str, ...]

    def named(self) -> dict[str, str]:
        """Name of the CSS variable → colour."""
        series = {f"series-{number}": colour for number, colour in enumerate(self.series, start=1)}
        roles = ("page", "ink", "muted", "rule", "genuine", "impostor")
        return {name: getattr(self, name) for name in roles} | series


LIGHT = Palette(
    page="#ffffff",
    ink="#17191d",
    muted="#5b626e",
    rule="#dfe2e7",
    genuine="#0e6bb8",
    impostor="#c4501b",
    series=("#0e6bb8", "#c4501b", "#0f7b5f", "#8a4fbf", "#9a6400", "#c0347a"),
)
"""Those of the page's style sheet in light."""

# No other drawing uses these exact values.
_STAND_INS = Palette(
    page="#000102",
    ink="#010203",
    muted="#040506",
    rule="#070809",
    genuine="#0a0b0c",
    impostor="#0d0e0f",
    series=("#101112", "#131415", "#161718", "#191a1b", "#1c1d1e", "#1f2021"),
)

Plot = Callable[[Figure, Palette], None]

_PNG_DPI = 200  # twice what a screen shows
_LETTERS_PER_INCH = 13  # of a title in a font of common width


@dataclass(frozen=True)
class Drawing:
    """One figure.

    Attributes
    ----------
    name : of its files, and what keeps its ids apart from those of other figures on a page.
    title : what is seen, for screen readers and above the figure where it stands alone.
    plot : draws it.
    size : width and height in inches.
    """

    name: str
    title: str
    plot: Plot
    size: tuple[float, float] = (4.3, 3.4)

    def inline(self) -> str:
        """The bare <svg> element for a page: sized by it, in its font, coloured by its CSS variables."""
        with mpl.rc_context({**_style(_STAND_INS), "svg.fonttype": "none", "svg.hashsalt": self.name}):
            return _for_page(_svg(self._figure(_STAND_INS), transparent=True), self.title)

    def save(self, folder: Path, subject: str = "") -> tuple[Path, Path]:
        """Write `name`.svg and `name`.png, readable without the page; `subject` says what was measured."""
        paths = folder / f"{self.name}.svg", folder / f"{self.name}.png"
        with mpl.rc_context({**_style(LIGHT), "svg.hashsalt": self.name}):
            figure = self._figure(LIGHT)
            width, height = self.size
            lines = [line for text in (self.title, subject) for line in wrap(text, int(_LETTERS_PER_INCH * width))]
            title = figure.suptitle("\n".join(lines), x=0.015, ha="left", fontsize=9.5)
            title.set_parse_math(False)  # names are from outside, and a $ in one is no formula
            figure.set_size_inches(width, height + 0.1 + 0.2 * len(lines))
            paths[0].write_text(_svg(figure, transparent=False), encoding="utf-8")
            figure.savefig(paths[1], dpi=_PNG_DPI, metadata={"Software": None})
        return paths

    def _figure(self, palette: Palette) -> Figure:
        figure = Figure(figsize=self.size)
        self.plot(figure, palette)
        return figure


def _style(palette: Palette) -> dict[Any, Any]:
    return {
        "figure.facecolor": palette.page,
        "axes.facecolor": "none",
        "font.size": 9,
        "text.color": palette.ink,
        "axes.edgecolor": palette.rule,
        "axes.labelcolor": palette.muted,
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": palette.rule,
        "grid.linewidth": 0.6,
        "xtick.color": palette.rule,
        "ytick.color": palette.rule,
        "xtick.labelcolor": palette.muted,
        "ytick.labelcolor": palette.muted,
        "lines.linewidth": 1.6,
        "lines.solid_joinstyle": "round",
        "legend.frameon": False,
        "legend.labelcolor": palette.ink,
        "figure.constrained_layout.use": True,
    }


def _svg(figure: Figure, *, transparent: bool) -> str:
    text = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with warnings.catch_warnings():
        # A model may be named in a script that matplotlib's own font lacks; the page's font has it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(text, format="svg", transparent=transparent, metadata=nothing)
    return text.getvalue()


def _for_page(svg: str, title: str) -> str:
    svg = svg[svg.index("<svg") :]
    for variable, colour in _STAND_INS.named().items():
        svg = svg.replace(colour, f"var(--{variable})")
    label = html.escape(title, quote=True)
    svg = re.sub(
        r"<svg[^>]*(viewBox=\"[^\"]*\")[^>]*>",
        lambda found: f'<svg {found[1]} role="img" aria-label="{label}">',
        svg,
        count=1,
    )
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)  # the same in every figure, and nothing refers to them
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    return re.sub(r"font: ([\d.]+px)[^;\"]*", r"font: \1 var(--sans)", svg)


def percent_tick(rate: float) -> str:
    """A tick's label."""
    return f"{100 * rate:.6g} %"
