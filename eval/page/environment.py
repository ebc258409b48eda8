"""Templates → one self-contained page: the style sheet inside, text from outside escaped, a missing value an error."""

import re
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from eval.page import wording

_HERE = Path(__file__).parent
_INTERVAL = re.compile(rf"\(?[\d.]+–[\d.]+{wording.SPACE}%\)?[.,;]?")


def render(template: str, **values: object) -> str:
    """The page as HTML text."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> jinja2.Environment:
    """Made once, as compiling the templates takes longer than filling them in."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=wording.percent,
        interval=wording.interval,
        ends=lambda pair: wording.ends(*pair),
        level=wording.level,
        score=wording.score,
        count=lambda number: f"{number:,}",
        breakable=breakable,
        unbroken=unbroken,
    )
    environment.globals["css"] = Markup((_HERE / "page.css").read_text(encoding="utf-8"))  # noqa: S704 - our own
    return environment


def unbroken(text: str) -> Markup:
    """A sentence whose intervals stay on one line."""
    return Markup(_INTERVAL.sub(r'<span class="whole">\g<0></span>', str(escape(text))))  # noqa: S704 - escaped


def breakable(identifier: str) -> Markup:
    """A path-like identifier that may be broken after its separators when the column is narrow."""
    return Markup("<wbr>").join(re.findall(r"[^/_]*[/_]|[^/_]+", identifier))
