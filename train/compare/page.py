"""report.html: the matrix in one self-contained page, in the look of the evaluator's reports."""

from collections.abc import Sequence

from markupsafe import Markup

from eval.drawings.style import Drawing
from eval.page.environment import render
from eval.page.wording import KIND_TITLES
from train.compare.results import MatrixResults
from train.compare.table import COLLAPSE_RULE, points

PAGE = "report.html"


def page(results: MatrixResults, drawings: Sequence[Drawing]) -> str:
    """The page as HTML text."""
    return render(
        "matrix.html.j2",
        results=results,
        titles={kind: title.lower() for kind, title in KIND_TITLES.items()},
        collapsed={recipe.label: sum(run.collapsed is not None for run in recipe.runs) for recipe in results.recipes},
        figures=[(one.title, Markup(one.inline())) for one in drawings],  # noqa: S704 - drawn here, text escaped
        points=points,
        rule=COLLAPSE_RULE,
    )
